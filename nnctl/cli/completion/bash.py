"""The completion script for bash (3.2 and later, with or without the bash-completion package)."""

from __future__ import annotations

from nnctl.cli.completion.tree import DYNAMIC, Command, Kind, ValueSet

_HEAD = """\
# bash completion for nnctl; made by `nnctl completion bash`, do not edit.
"""

_BODY = r"""
# The commands, options and values come from the tables above; only what depends
# on a spec or on installed components asks nnctl.
_nnctl() {
    local line=${COMP_LINE:0:COMP_POINT}
    local -a words=()
    # Not COMP_WORDS: it is split at the "=" of path=value.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local last=$((${#words[@]} - 1))
    local current=${words[last]} command="" option="" spec="" place=0 i word kind

    for ((i = 1; i < last; i++)); do
        word=${words[i]}
        [[ $word == *.yaml || $word == *.yml ]] && spec=$word
        if [[ -n $option ]]; then
            option=""
        elif [[ $word == -*=* ]]; then
            :
        elif [[ $word == -* ]]; then
            kind=$(_nnctl_value "$command" "$word")
            [[ -n $kind && $kind != flag ]] && option=$word
        elif [[ " $(_nnctl_commands "$command") " == *" $word "* ]]; then
            command="${command:+$command }$word"
        else
            place=$((place + 1))
        fi
    done

    if [[ -n $option ]]; then
        kind=$(_nnctl_value "$command" "$option")
    elif [[ $current == --*=* ]]; then
        kind=$(_nnctl_value "$command" "${current%%=*}")
        current=${current#*=}
    elif [[ $current == -* ]]; then
        kind="words $(_nnctl_options "$command")"
    elif [[ -n $(_nnctl_commands "$command") ]]; then
        kind="words $(_nnctl_commands "$command")"
    else
        kind=$(_nnctl_argument "$command" "$place")
    fi
    _nnctl_reply "$kind" "$current" "$spec"
}

# Fill COMPREPLY with the values of a kind that begin with a prefix.
_nnctl_reply() {
    local kind=$1 current=$2 spec=$3 found broken
    local IFS=$'\n'
    COMPREPLY=()
    case $kind in
    words\ *) COMPREPLY=($(IFS=' ' && compgen -W "${kind#words }" -- "$current")) ;;
    spec)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$current") $(compgen -f -- "$current" | grep -E '\.ya?ml$'))
        ;;
    file)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$current"))
        ;;
    directory)
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$current"))
        ;;
    @DYNAMIC@)
        for found in $("${COMP_WORDS[0]}" complete "$kind" "$current" ${spec:+--spec="$spec"} 2>/dev/null); do
            COMPREPLY+=("${found%%$'\t'*}")
        done
        [[ $kind == setting ]] && compopt -o nospace 2>/dev/null
        ;;
    esac
    # readline replaces only what follows the last word break.
    if [[ $current == *=* && $COMP_WORDBREAKS == *=* ]]; then
        broken=${current%"${current##*=}"}
        COMPREPLY=("${COMPREPLY[@]#"$broken"}")
    fi
}

complete -F _nnctl nnctl
"""


def generate(root: Command) -> str:
    """The script for the command line `root`."""
    commands = list(root.walk())
    tables = [
        _function(
            "_nnctl_commands",
            '"$1"',
            [(_name(c), " ".join(child.path[-1] for child in c.commands)) for c in commands if c.commands],
        ),
        _function(
            "_nnctl_options",
            '"$1"',
            [(_name(c), " ".join(name for o in c.options for name in o.names)) for c in commands],
        ),
        _function(
            "_nnctl_value",
            '"$1 $2"',
            [(f"{_name(c)} {name}", _words(o.value)) for c in commands for o in c.options for name in o.names],
        ),
        _function(
            "_nnctl_argument",
            '"$1 $2"',
            [
                (f"{_name(c)} {'*' if a.many else place}", _words(a.value))
                for c in commands
                for place, a in enumerate(c.arguments)
            ],
        ),
    ]
    body = _BODY.replace("@DYNAMIC@", " | ".join(DYNAMIC))
    return _HEAD + "".join(f"\n{table}" for table in tables) + body


def _function(name: str, subject: str, rows: list[tuple[str, str]]) -> str:
    cases = "".join(f"    {_pattern(key)}) echo '{text}' ;;\n" for key, text in rows)
    return f"{name}() {{\n    case {subject} in\n{cases}    esac\n}}\n"


def _pattern(key: str) -> str:
    return f'"{key[:-1]}"*' if key.endswith("*") else f'"{key}"'


def _name(command: Command) -> str:
    return " ".join(command.path)


def _words(value: ValueSet) -> str:
    return f"words {' '.join(value.words)}" if value.kind is Kind.WORDS else value.kind.value
