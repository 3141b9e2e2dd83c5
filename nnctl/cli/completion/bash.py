"""The completion script for bash (3.2 and later, with or without the bash-completion package)."""

from __future__ import annotations

from nnctl.cli.completion.tree import DYNAMIC, Command, Kind, ValueSet

_HEAD = """\
# bash completion for nnctl; made by `nnctl completion bash`, do not edit.
"""

_BODY = r"""
# The commands, options and values come from the tables above; only what depends
# on a spec or on installed components asks nnctl. Names from files and specs are
# text here: nothing expands them, and they reach the line quoted.
_nnctl() {
    local -a words=()
    # As the shell would read them, but for expansions: the open quote, and how much
    # of the last word stands before what readline replaces.
    local quote="" kept=0
    _nnctl_split "${COMP_LINE:0:COMP_POINT}"
    local last=$((${#words[@]} - 1))
    local current=${words[last]} command="" option="" spec="" place=0 i word kind

    for ((i = 1; i < last; i++)); do
        word=${words[i]}
        [[ $word == *.yaml || $word == *.yml ]] && spec=$word
        if [[ -n $option ]]; then
            option=""
        elif [[ $word == -*=* ]]; then
            :
        elif [[ $word == -?* ]]; then
            kind=$(_nnctl_value "$command" "$word")
            [[ -n $kind && $kind != flag ]] && option=$word
        elif [[ $place == 0 && " $(_nnctl_commands "$command") " == *" $word "* ]]; then
            command="${command:+$command }$word"
        else
            place=$((place + 1))
        fi
    done

    if [[ -n $option ]]; then
        kind=$(_nnctl_value "$command" "$option")
    elif [[ $current == --*=* ]]; then
        option=${current%%=*}
        kind=$(_nnctl_value "$command" "$option")
        current=${current#*=}
        kept=$((kept > ${#option} ? kept - ${#option} - 1 : 0))
    elif [[ $current == -* ]]; then
        kind="words $(_nnctl_options "$command")"
    else
        kind=$(_nnctl_argument "$command" "$place")
        [[ $place == 0 && -n $(_nnctl_commands "$command") ]] && kind="commands $kind"
    fi
    _nnctl_reply
}

# Fill words, quote and kept from a line.
_nnctl_split() {
    local line=$1 i char word="" begun=""
    for ((i = 0; i < ${#line}; i++)); do
        char=${line:i:1}
        case $quote$char in
        "''" | '""') quote="" ;;
        "'"?*) word+=$char ;;
        '"\') case ${line:i+1:1} in
            [\$\`\"\\]) i=$((i + 1)) && word+=${line:i:1} ;;
            *) word+=$char ;;
            esac ;;
        '"'?*) word+=$char ;;
        "'" | '"') quote=$char begun=1 kept=${#word} ;;
        \\) i=$((i + 1)) begun=1 && word+=${line:i:1} ;;
        [[:space:]])
            [[ -n $begun ]] && words+=("$word")
            word="" begun="" kept=0
            ;;
        *)
            word+=$char begun=1
            [[ $COMP_WORDBREAKS == *"$char"* ]] && kept=${#word}
            ;;
        esac
    done
    words+=("$word")
}

# Fill COMPREPLY with the values of $kind that begin with $current.
_nnctl_reply() {
    local each found files=""
    COMPREPLY=()
    if [[ $kind == words\ * ]]; then
        for found in ${kind#words }; do
            [[ $found == "$current"* ]] && COMPREPLY+=("${found:kept}")
        done
        return
    fi
    for each in $kind; do
        case $each in
        spec | file | directory) files=1 ;;
        esac
    done
    while IFS= read -r found; do
        # readline quotes the names of files; the others are for us to quote.
        [[ -n $files ]] && COMPREPLY+=("${found:kept}") || COMPREPLY+=("$(_nnctl_quoted "${found:kept}")")
    done < <(for each in $kind; do _nnctl_values "$each"; done)
    [[ -n $files ]] && compopt -o filenames 2>/dev/null
    [[ $kind == setting || $kind == path ]] && compopt -o nospace 2>/dev/null
}

# Print the values of one kind, one a line.
_nnctl_values() {
    case $1 in
    commands) compgen -W "$(_nnctl_commands "$command")" -- "$current" ;;
    spec)
        compgen -d -- "$current"
        compgen -f -- "$current" | grep -E '\.ya?ml$'
        ;;
    file) compgen -f -- "$current" ;;
    directory) compgen -d -- "$current" ;;
    @DYNAMIC@)
        "${COMP_WORDS[0]}" complete "$1" ${spec:+--spec="$spec"} -- "$current" 2>/dev/null | cut -f1
        ;;
    esac
}

# Print a value as the rest of a word, within the quote that is open.
_nnctl_quoted() {
    local i char text=""
    case $quote in
    "") [[ -n $1 ]] && printf '%q' "$1" ;;
    *)
        for ((i = 0; i < ${#1}; i++)); do
            char=${1:i:1}
            case $quote$char in
            "''") text+="'\\''" ;;
            '"'[\$\`\"\\]) text+="\\$char" ;;
            # Within double quotes nothing keeps it from naming a line of the history.
            '"!') text+="\"'!'\"" ;;
            *) text+=$char ;;
            esac
        done
        printf '%s' "$text"
        ;;
    esac
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
    if value.kind is Kind.WORDS:
        return f"words {' '.join(value.words)}"
    return " ".join(kind.value for kind in (value.kind, value.also) if kind is not None)
