"""The completion script for zsh (5.0 and later), on `_arguments`."""

from __future__ import annotations

from nnctl.cli.completion.tree import DYNAMIC, Argument, Command, Kind, Option, ValueSet

_HEAD = """\
#compdef nnctl
# zsh completion for nnctl; made by `nnctl completion zsh`, do not edit.
"""

_TAIL = r"""
# Values that depend on the spec of this line or on the installed components.
_nnctl_ask() {
    # What _arguments inserts before the kind belongs to compadd.
    local kind=${@[-1]} prefix=$PREFIX
    # The line as it was typed, without its quotes: nothing in it is expanded.
    local spec=${${(M)${(Q)words}:#*.(yaml|yml)}[1]}
    [[ -z $compstate[quote] ]] && prefix=${(Q)PREFIX}
    local -a lines values texts
    lines=(${(f)"$(_call_program $kind nnctl complete $kind ${spec:+--spec=${(q)spec}} -- ${(q)prefix} 2>/dev/null)"})
    values=(${lines%%$'\t'*})
    texts=(${lines/$'\t'/  -- })
    if [[ $kind == (setting|path) ]]; then
        # A path goes on after its dot or equals sign, so no space.
        compadd "${@[1,-2]}" -S '' -l -d texts -a values
    else
        compadd "${@[1,-2]}" -l -d texts -a values
    fi
}

_nnctl_spec_or() {
    _files -g "*.(yaml|yml)"
    _nnctl_ask "$@"
}

if [[ $funcstack[1] == _nnctl ]]; then
    _nnctl "$@"
else
    compdef _nnctl nnctl
fi
"""


def generate(root: Command) -> str:
    """The script for the command line `root`."""
    return _HEAD + "".join(f"\n{_function(command)}" for command in root.walk()) + _TAIL


def _function(command: Command) -> str:
    specs = [spec for option in command.options for spec in _option(option)]
    name = "_".join(("_nnctl", *command.path))
    if not command.commands:
        specs += [_argument(place, argument) for place, argument in enumerate(command.arguments, start=1)]
        return f"{name}() {{\n{_arguments('_arguments -s', specs)}}}\n"
    if command.arguments:
        return _branching(name, command, specs)
    specs += [_quote("1:command:->command"), _quote("*::argument:->argument")]
    choices = "".join(f"            {_quote(f'{child.path[-1]}:{child.help}')}\n" for child in command.commands)
    branches = "".join(f"        {child.path[-1]}) {name}_{child.path[-1]} ;;\n" for child in command.commands)
    return (
        f"{name}() {{\n"
        "    local curcontext=$curcontext state line\n"
        "    typeset -A opt_args\n"
        f"{_arguments('_arguments -C', specs)}"
        "    case $state in\n"
        "    command)\n"
        "        local -a commands=(\n"
        f"{choices}"
        "        )\n"
        "        _describe command commands\n"
        "        ;;\n"
        "    argument)\n"
        "        case $words[1] in\n"
        f"{branches}"
        "        esac\n"
        "        ;;\n"
        "    esac\n"
        "}\n"
    )


def _branching(name: str, command: Command, specs: list[str]) -> str:
    """The function of a command whose first word is an argument or names a command below it."""
    first, *others = command.arguments
    either = f"{{ _describe command commands; {_action(first.value)} }}"
    specs = [*specs, _quote(f"1:{first.name}:{either}"), *(_argument(n, a) for n, a in enumerate(others, start=2))]
    choices = "".join(f"        {_quote(f'{child.path[-1]}:{child.help}')}\n" for child in command.commands)
    branches = "".join(
        f"    {child.path[-1]}) shift words; (( CURRENT-- )); {name}_{child.path[-1]}; return ;;\n"
        for child in command.commands
    )
    return (
        f"{name}() {{\n"
        f"    (( CURRENT > 2 )) && case $words[2] in\n{branches}    esac\n"
        f"    local -a commands=(\n{choices}    )\n"
        f"{_arguments('_arguments -s', specs)}"
        "}\n"
    )


def _arguments(call: str, specs: list[str]) -> str:
    return "    " + " \\\n        ".join([call, *specs]) + "\n"


def _option(option: Option) -> list[str]:
    others = "*" if option.repeatable else f"({' '.join(option.names)})"
    action = _action(option.value)
    specs = []
    for name in option.names:
        if option.value.kind is Kind.FLAG:
            specs.append(_quote(f"{others}{name}[{option.help}]"))
        else:
            # "=": the value may stand in the same word.
            joint = "=" if name.startswith("--") else "+"
            specs.append(_quote(f"{others}{name}{joint}[{option.help}]:{name.lstrip('-')}:{action}"))
    return specs


def _argument(place: int, argument: Argument) -> str:
    where = "*" if argument.many else str(place)
    return _quote(f"{where}:{argument.name}:{_action(argument.value)}")


def _action(value: ValueSet) -> str:
    if value.kind in DYNAMIC:
        return f"_nnctl_ask {value.kind}"
    if value.also is not None:
        return f"_nnctl_{value.kind}_or {value.also}"
    return {
        Kind.WORDS: f"({' '.join(value.words)})",
        Kind.SPEC: '_files -g "*.(yaml|yml)"',
        Kind.FILE: "_files",
        Kind.DIRECTORY: "_files -/",
    }.get(value.kind, " ")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
