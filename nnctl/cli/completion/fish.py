"""The completion script for fish (3.1 and later)."""

from __future__ import annotations

from nnctl.cli.completion.tree import DYNAMIC, Command, Kind, Option, ValueSet

_HEAD = """\
# fish completion for nnctl; made by `nnctl completion fish`, do not edit.

set -g __nnctl_valued @VALUED@
"""

_FUNCTIONS = r"""
function __nnctl_words -d 'commands and arguments before the cursor'
    set -l is_value 0
    for word in (commandline -opc)[2..-1]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word $__nnctl_valued
            set is_value 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

function __nnctl_using -d 'whether the line calls this command'
    set -l words (__nnctl_words)
    test (count $words) -ge (count $argv); or return 1
    test (count $argv) -eq 0; and return 0
    set -l beginning $words[1..(count $argv)]
    test "$beginning" = "$argv"
end

function __nnctl_at -d 'whether the cursor is at this place of this command'
    set -l words (__nnctl_words)
    set -l command $argv[2..-1]
    test (count $words) -eq (math (count $command) + $argv[1]); and __nnctl_using $command
end

function __nnctl_from -d 'whether the cursor is at this place of this command or behind it'
    set -l words (__nnctl_words)
    set -l command $argv[2..-1]
    test (count $words) -ge (math (count $command) + $argv[1]); and __nnctl_using $command
end

function __nnctl_token -d 'the word so far, without its quotes; nothing in it is expanded'
    set -l token (string replace -r -- '^--[^=]*=' '' (commandline -ct))
    string unescape -- $token; and return
    # A quote is open: within it everything is text.
    string replace -r -- '^(["\'])' '' $token
end

function __nnctl_specs
    set -l token (__nnctl_token)
    for path in $token*.yaml $token*.yml $token*/
        echo $path
    end
end

function __nnctl_ask -d 'values that depend on the spec of this line or on the installed components'
    set -l token (__nnctl_token)
    set -l spec (string match -r -- '^.*\.ya?ml$' (commandline -opc))
    if set -q spec[1]
        nnctl complete $argv[1] --spec=$spec[1] -- "$token" 2>/dev/null
    else
        nnctl complete $argv[1] -- "$token" 2>/dev/null
    end
end

complete -c nnctl -f
"""


def generate(root: Command) -> str:
    """The script for the command line `root`."""
    commands = list(root.walk())
    valued = sorted(
        {n for c in commands for o in c.options if o.value.kind is not Kind.FLAG for n in o.names if len(n) > 1}
    )
    lines: list[str] = []
    for command in commands:
        words = " ".join(command.path)
        lines.append("")
        for child in command.commands:
            lines.append(_complete(f"__nnctl_at 0 {words}", f"-a {child.path[-1]} -d {_quote(child.help)}"))
        for option in command.options:
            # At the root, options stand before the command only.
            condition = f"__nnctl_using {words}" if words else "__nnctl_at 0"
            condition += "".join(
                f"; and not __nnctl_using {' '.join(child.path)}" for child in command.commands if words
            )
            lines.append(_complete(condition, _option(option)))
        for place, argument in enumerate(command.arguments):
            condition = f"__nnctl_{'from' if argument.many else 'at'} {place} {words}"
            if values := _values(argument.value):
                lines.append(_complete(condition, values))
    return _HEAD.replace("@VALUED@", " ".join(valued)) + _FUNCTIONS + "\n".join(lines) + "\n"


def _complete(condition: str, rest: str) -> str:
    return f"complete -c nnctl -n {_quote(condition.strip())} {rest}"


def _option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    if option.value.kind is Kind.FLAG:
        return f"{names} -d {_quote(option.help)}"
    return f"{names} {_values(option.value) or '-x'} -d {_quote(option.help)}"


def _values(value: ValueSet) -> str:
    if value.kind in DYNAMIC:
        return f"-x -a '(__nnctl_ask {value.kind})'"
    if value.also is not None:
        return f"-x -a '(__nnctl_{value.kind}s; __nnctl_ask {value.also})'"
    return {
        Kind.WORDS: f"-x -a {_quote(' '.join(value.words))}",
        Kind.SPEC: "-x -a '(__nnctl_specs)'",
        Kind.FILE: "-r -F",
        Kind.DIRECTORY: "-x -a '(__fish_complete_directories)'",
    }.get(value.kind, "")


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
