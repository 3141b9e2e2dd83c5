# bash completion for nnctl; made by `nnctl completion bash`, do not edit.

_nnctl_commands() {
    case "$1" in
    "") echo 'init train show runs evaluate predict export gradcheck parity inspect plot explain trace bench sweep report data schema doctor completion' ;;
    "runs") echo 'list diff best' ;;
    "plot") echo 'boundary landscape filters maps saliency augment graph' ;;
    "sweep") echo 'show fetch' ;;
    "data") echo 'list fetch kept show' ;;
    esac
}

_nnctl_options() {
    case "$1" in
    "") echo '--version --help -h' ;;
    "init") echo '--target --sheet --out -o --force --help -h' ;;
    "train") echo '--set --out --resume --backend --seed --epochs --metrics --format --tensorboard --quiet -q --help -h' ;;
    "show") echo '--watch -w --by --log --columns --help -h' ;;
    "runs") echo '--where --sort --reverse --columns --with-trials --limit --format --tensorboard-dir --quiet -q --help -h' ;;
    "runs list") echo '--where --sort --reverse --columns --with-trials --limit --format --tensorboard-dir --quiet -q --help -h' ;;
    "runs diff") echo '--format --help -h' ;;
    "runs best") echo '--monitor --where --columns --with-trials --format --quiet -q --help -h' ;;
    "evaluate") echo '--split --data --checkpoint --top-k --best --augment --with --backend --confusion --help -h' ;;
    "predict") echo '--top-k --keep --checkpoint --backend --generate --temperature --prompt --sample --gibbs-steps --forecast --out -o --format --force --seed --help -h' ;;
    "export") echo '--checkpoint --check --no-check --layout --encoded --force --help -h' ;;
    "gradcheck") echo '--set --method --samples --eps --tolerance --batch --seed --curve --help -h' ;;
    "parity") echo '--set --backend --against --steps --batch --seed --help -h' ;;
    "inspect") echo '--set --show --step --fused --batch --backend --help -h' ;;
    "plot") echo '--help -h' ;;
    "plot boundary") echo '--inputs --out -o --force --dark --checkpoint --backend --help -h' ;;
    "plot landscape") echo '--seed --resolution --reach --examples --split --out -o --force --dark --checkpoint --backend --help -h' ;;
    "plot filters") echo '--most --shape --out -o --force --dark --checkpoint --help -h' ;;
    "plot maps") echo '--split --example --most --out -o --force --dark --checkpoint --help -h' ;;
    "plot saliency") echo '--split --example --count --of --out -o --force --dark --checkpoint --help -h' ;;
    "plot augment") echo '--set --examples --copies --out -o --force --dark --help -h' ;;
    "plot graph") echo '--set --whole --step --most --out -o --force --dark --help -h' ;;
    "explain") echo '--set --under --list --help -h' ;;
    "trace") echo '--set --example --split --checkpoint --format --out -o --force --full --stepwise --help -h' ;;
    "bench") echo '--set --step --steps --batch --threads --backend --retune --help -h' ;;
    "sweep") echo '--grid --space --trials --sampler --pruner --seeds --folds --monitor --constraint --ensemble --jobs -j --on --set --out --from --from-study --export --quiet -q --help -h' ;;
    "sweep show") echo '--format --limit --csv --export --force --quiet -q --help -h' ;;
    "sweep fetch") echo '--quiet -q --help -h' ;;
    "report") echo '--out -o --force --quiet -q --help -h' ;;
    "data") echo '--help -h' ;;
    "data list") echo '--help -h' ;;
    "data fetch") echo '--help -h' ;;
    "data kept") echo '--clear --help -h' ;;
    "data show") echo '--set --help -h' ;;
    "schema") echo '--help -h' ;;
    "doctor") echo '--set --help -h' ;;
    "completion") echo '--help -h' ;;
    esac
}

_nnctl_value() {
    case "$1 $2" in
    " --version") echo 'flag' ;;
    " --help") echo 'flag' ;;
    " -h") echo 'flag' ;;
    "init --target") echo 'free' ;;
    "init --sheet") echo 'free' ;;
    "init --out") echo 'file' ;;
    "init -o") echo 'file' ;;
    "init --force") echo 'flag' ;;
    "init --help") echo 'flag' ;;
    "init -h") echo 'flag' ;;
    "train --set") echo 'setting' ;;
    "train --out") echo 'directory' ;;
    "train --resume") echo 'flag' ;;
    "train --backend") echo 'backend' ;;
    "train --seed") echo 'free' ;;
    "train --epochs") echo 'free' ;;
    "train --metrics") echo 'file' ;;
    "train --format") echo 'words jsonl csv' ;;
    "train --tensorboard") echo 'flag' ;;
    "train --quiet") echo 'flag' ;;
    "train -q") echo 'flag' ;;
    "train --help") echo 'flag' ;;
    "train -h") echo 'flag' ;;
    "show --watch") echo 'flag' ;;
    "show -w") echo 'flag' ;;
    "show --by") echo 'words epoch step seconds' ;;
    "show --log") echo 'flag' ;;
    "show --columns") echo 'free' ;;
    "show --help") echo 'flag' ;;
    "show -h") echo 'flag' ;;
    "runs --where") echo 'setting' ;;
    "runs --sort") echo 'free' ;;
    "runs --reverse") echo 'flag' ;;
    "runs --columns") echo 'free' ;;
    "runs --with-trials") echo 'flag' ;;
    "runs --limit") echo 'free' ;;
    "runs --format") echo 'words table jsonl csv' ;;
    "runs --tensorboard-dir") echo 'directory' ;;
    "runs --quiet") echo 'flag' ;;
    "runs -q") echo 'flag' ;;
    "runs --help") echo 'flag' ;;
    "runs -h") echo 'flag' ;;
    "runs list --where") echo 'setting' ;;
    "runs list --sort") echo 'free' ;;
    "runs list --reverse") echo 'flag' ;;
    "runs list --columns") echo 'free' ;;
    "runs list --with-trials") echo 'flag' ;;
    "runs list --limit") echo 'free' ;;
    "runs list --format") echo 'words table jsonl csv' ;;
    "runs list --tensorboard-dir") echo 'directory' ;;
    "runs list --quiet") echo 'flag' ;;
    "runs list -q") echo 'flag' ;;
    "runs list --help") echo 'flag' ;;
    "runs list -h") echo 'flag' ;;
    "runs diff --format") echo 'words table jsonl csv' ;;
    "runs diff --help") echo 'flag' ;;
    "runs diff -h") echo 'flag' ;;
    "runs best --monitor") echo 'free' ;;
    "runs best --where") echo 'setting' ;;
    "runs best --columns") echo 'free' ;;
    "runs best --with-trials") echo 'flag' ;;
    "runs best --format") echo 'words table jsonl csv' ;;
    "runs best --quiet") echo 'flag' ;;
    "runs best -q") echo 'flag' ;;
    "runs best --help") echo 'flag' ;;
    "runs best -h") echo 'flag' ;;
    "evaluate --split") echo 'words train validation test' ;;
    "evaluate --data") echo 'path' ;;
    "evaluate --checkpoint") echo 'words best last' ;;
    "evaluate --top-k") echo 'free' ;;
    "evaluate --best") echo 'free' ;;
    "evaluate --augment") echo 'free' ;;
    "evaluate --with") echo 'augmentation' ;;
    "evaluate --backend") echo 'backend' ;;
    "evaluate --confusion") echo 'flag' ;;
    "evaluate --help") echo 'flag' ;;
    "evaluate -h") echo 'flag' ;;
    "predict --top-k") echo 'free' ;;
    "predict --keep") echo 'free' ;;
    "predict --checkpoint") echo 'words best last' ;;
    "predict --backend") echo 'backend' ;;
    "predict --generate") echo 'free' ;;
    "predict --temperature") echo 'free' ;;
    "predict --prompt") echo 'free' ;;
    "predict --sample") echo 'free' ;;
    "predict --gibbs-steps") echo 'free' ;;
    "predict --forecast") echo 'free' ;;
    "predict --out") echo 'file' ;;
    "predict -o") echo 'file' ;;
    "predict --format") echo 'words jsonl csv' ;;
    "predict --force") echo 'flag' ;;
    "predict --seed") echo 'free' ;;
    "predict --help") echo 'flag' ;;
    "predict -h") echo 'flag' ;;
    "export --checkpoint") echo 'words best last' ;;
    "export --check") echo 'flag' ;;
    "export --no-check") echo 'flag' ;;
    "export --layout") echo 'words torch keras nnctl' ;;
    "export --encoded") echo 'flag' ;;
    "export --force") echo 'flag' ;;
    "export --help") echo 'flag' ;;
    "export -h") echo 'flag' ;;
    "gradcheck --set") echo 'setting' ;;
    "gradcheck --method") echo 'words complex central' ;;
    "gradcheck --samples") echo 'free' ;;
    "gradcheck --eps") echo 'free' ;;
    "gradcheck --tolerance") echo 'free' ;;
    "gradcheck --batch") echo 'free' ;;
    "gradcheck --seed") echo 'free' ;;
    "gradcheck --curve") echo 'flag' ;;
    "gradcheck --help") echo 'flag' ;;
    "gradcheck -h") echo 'flag' ;;
    "parity --set") echo 'setting' ;;
    "parity --backend") echo 'backend' ;;
    "parity --against") echo 'backend' ;;
    "parity --steps") echo 'free' ;;
    "parity --batch") echo 'free' ;;
    "parity --seed") echo 'free' ;;
    "parity --help") echo 'flag' ;;
    "parity -h") echo 'flag' ;;
    "inspect --set") echo 'setting' ;;
    "inspect --show") echo 'words summary spec graph plan code' ;;
    "inspect --step") echo 'words train evaluate predict' ;;
    "inspect --fused") echo 'flag' ;;
    "inspect --batch") echo 'free' ;;
    "inspect --backend") echo 'backend' ;;
    "inspect --help") echo 'flag' ;;
    "inspect -h") echo 'flag' ;;
    "plot --help") echo 'flag' ;;
    "plot -h") echo 'flag' ;;
    "plot boundary --inputs") echo 'free' ;;
    "plot boundary --out") echo 'file' ;;
    "plot boundary -o") echo 'file' ;;
    "plot boundary --force") echo 'flag' ;;
    "plot boundary --dark") echo 'flag' ;;
    "plot boundary --checkpoint") echo 'words best last' ;;
    "plot boundary --backend") echo 'backend' ;;
    "plot boundary --help") echo 'flag' ;;
    "plot boundary -h") echo 'flag' ;;
    "plot landscape --seed") echo 'free' ;;
    "plot landscape --resolution") echo 'free' ;;
    "plot landscape --reach") echo 'free' ;;
    "plot landscape --examples") echo 'free' ;;
    "plot landscape --split") echo 'words train validation test' ;;
    "plot landscape --out") echo 'file' ;;
    "plot landscape -o") echo 'file' ;;
    "plot landscape --force") echo 'flag' ;;
    "plot landscape --dark") echo 'flag' ;;
    "plot landscape --checkpoint") echo 'words best last' ;;
    "plot landscape --backend") echo 'backend' ;;
    "plot landscape --help") echo 'flag' ;;
    "plot landscape -h") echo 'flag' ;;
    "plot filters --most") echo 'free' ;;
    "plot filters --shape") echo 'free' ;;
    "plot filters --out") echo 'file' ;;
    "plot filters -o") echo 'file' ;;
    "plot filters --force") echo 'flag' ;;
    "plot filters --dark") echo 'flag' ;;
    "plot filters --checkpoint") echo 'words best last' ;;
    "plot filters --help") echo 'flag' ;;
    "plot filters -h") echo 'flag' ;;
    "plot maps --split") echo 'words train validation test' ;;
    "plot maps --example") echo 'free' ;;
    "plot maps --most") echo 'free' ;;
    "plot maps --out") echo 'file' ;;
    "plot maps -o") echo 'file' ;;
    "plot maps --force") echo 'flag' ;;
    "plot maps --dark") echo 'flag' ;;
    "plot maps --checkpoint") echo 'words best last' ;;
    "plot maps --help") echo 'flag' ;;
    "plot maps -h") echo 'flag' ;;
    "plot saliency --split") echo 'words train validation test' ;;
    "plot saliency --example") echo 'free' ;;
    "plot saliency --count") echo 'free' ;;
    "plot saliency --of") echo 'free' ;;
    "plot saliency --out") echo 'file' ;;
    "plot saliency -o") echo 'file' ;;
    "plot saliency --force") echo 'flag' ;;
    "plot saliency --dark") echo 'flag' ;;
    "plot saliency --checkpoint") echo 'words best last' ;;
    "plot saliency --help") echo 'flag' ;;
    "plot saliency -h") echo 'flag' ;;
    "plot augment --set") echo 'setting' ;;
    "plot augment --examples") echo 'free' ;;
    "plot augment --copies") echo 'free' ;;
    "plot augment --out") echo 'file' ;;
    "plot augment -o") echo 'file' ;;
    "plot augment --force") echo 'flag' ;;
    "plot augment --dark") echo 'flag' ;;
    "plot augment --help") echo 'flag' ;;
    "plot augment -h") echo 'flag' ;;
    "plot graph --set") echo 'setting' ;;
    "plot graph --whole") echo 'flag' ;;
    "plot graph --step") echo 'words train evaluate predict' ;;
    "plot graph --most") echo 'free' ;;
    "plot graph --out") echo 'file' ;;
    "plot graph -o") echo 'file' ;;
    "plot graph --force") echo 'flag' ;;
    "plot graph --dark") echo 'flag' ;;
    "plot graph --help") echo 'flag' ;;
    "plot graph -h") echo 'flag' ;;
    "explain --set") echo 'setting' ;;
    "explain --under") echo 'path' ;;
    "explain --list") echo 'flag' ;;
    "explain --help") echo 'flag' ;;
    "explain -h") echo 'flag' ;;
    "trace --set") echo 'setting' ;;
    "trace --example") echo 'free' ;;
    "trace --split") echo 'words train validation test' ;;
    "trace --checkpoint") echo 'words best last' ;;
    "trace --format") echo 'words table json jsonl html' ;;
    "trace --out") echo 'file' ;;
    "trace -o") echo 'file' ;;
    "trace --force") echo 'flag' ;;
    "trace --full") echo 'flag' ;;
    "trace --stepwise") echo 'flag' ;;
    "trace --help") echo 'flag' ;;
    "trace -h") echo 'flag' ;;
    "bench --set") echo 'setting' ;;
    "bench --step") echo 'words train evaluate' ;;
    "bench --steps") echo 'free' ;;
    "bench --batch") echo 'free' ;;
    "bench --threads") echo 'free' ;;
    "bench --backend") echo 'backend' ;;
    "bench --retune") echo 'flag' ;;
    "bench --help") echo 'flag' ;;
    "bench -h") echo 'flag' ;;
    "sweep --grid") echo 'setting' ;;
    "sweep --space") echo 'setting' ;;
    "sweep --trials") echo 'free' ;;
    "sweep --sampler") echo 'sampler' ;;
    "sweep --pruner") echo 'pruner' ;;
    "sweep --seeds") echo 'free' ;;
    "sweep --folds") echo 'free' ;;
    "sweep --monitor") echo 'free' ;;
    "sweep --constraint") echo 'free' ;;
    "sweep --ensemble") echo 'free' ;;
    "sweep --jobs") echo 'free' ;;
    "sweep -j") echo 'free' ;;
    "sweep --on") echo 'free' ;;
    "sweep --set") echo 'setting' ;;
    "sweep --out") echo 'directory' ;;
    "sweep --from") echo 'file' ;;
    "sweep --from-study") echo 'free' ;;
    "sweep --export") echo 'file' ;;
    "sweep --quiet") echo 'flag' ;;
    "sweep -q") echo 'flag' ;;
    "sweep --help") echo 'flag' ;;
    "sweep -h") echo 'flag' ;;
    "sweep show --format") echo 'words table jsonl csv' ;;
    "sweep show --limit") echo 'free' ;;
    "sweep show --csv") echo 'file' ;;
    "sweep show --export") echo 'file' ;;
    "sweep show --force") echo 'flag' ;;
    "sweep show --quiet") echo 'flag' ;;
    "sweep show -q") echo 'flag' ;;
    "sweep show --help") echo 'flag' ;;
    "sweep show -h") echo 'flag' ;;
    "sweep fetch --quiet") echo 'flag' ;;
    "sweep fetch -q") echo 'flag' ;;
    "sweep fetch --help") echo 'flag' ;;
    "sweep fetch -h") echo 'flag' ;;
    "report --out") echo 'file' ;;
    "report -o") echo 'file' ;;
    "report --force") echo 'flag' ;;
    "report --quiet") echo 'flag' ;;
    "report -q") echo 'flag' ;;
    "report --help") echo 'flag' ;;
    "report -h") echo 'flag' ;;
    "data --help") echo 'flag' ;;
    "data -h") echo 'flag' ;;
    "data list --help") echo 'flag' ;;
    "data list -h") echo 'flag' ;;
    "data fetch --help") echo 'flag' ;;
    "data fetch -h") echo 'flag' ;;
    "data kept --clear") echo 'flag' ;;
    "data kept --help") echo 'flag' ;;
    "data kept -h") echo 'flag' ;;
    "data show --set") echo 'setting' ;;
    "data show --help") echo 'flag' ;;
    "data show -h") echo 'flag' ;;
    "schema --help") echo 'flag' ;;
    "schema -h") echo 'flag' ;;
    "doctor --set") echo 'setting' ;;
    "doctor --help") echo 'flag' ;;
    "doctor -h") echo 'flag' ;;
    "completion --help") echo 'flag' ;;
    "completion -h") echo 'flag' ;;
    esac
}

_nnctl_argument() {
    case "$1 $2" in
    "init 0") echo 'file' ;;
    "train 0") echo 'spec' ;;
    "show "*) echo 'directory' ;;
    "runs 0") echo 'directory' ;;
    "runs list 0") echo 'directory' ;;
    "runs diff 0") echo 'directory' ;;
    "runs diff 1") echo 'directory' ;;
    "runs best 0") echo 'directory' ;;
    "evaluate "*) echo 'directory' ;;
    "predict 0") echo 'directory' ;;
    "predict "*) echo 'file' ;;
    "export 0") echo 'directory' ;;
    "export 1") echo 'file' ;;
    "gradcheck 0") echo 'spec' ;;
    "parity 0") echo 'spec' ;;
    "inspect 0") echo 'spec' ;;
    "plot boundary 0") echo 'directory' ;;
    "plot landscape 0") echo 'directory' ;;
    "plot filters 0") echo 'directory' ;;
    "plot maps 0") echo 'directory' ;;
    "plot saliency 0") echo 'directory' ;;
    "plot augment 0") echo 'spec' ;;
    "plot graph 0") echo 'spec' ;;
    "explain 0") echo 'spec component' ;;
    "trace 0") echo 'spec' ;;
    "bench 0") echo 'spec' ;;
    "sweep 0") echo 'spec' ;;
    "sweep show 0") echo 'directory' ;;
    "sweep fetch 0") echo 'free' ;;
    "sweep fetch 1") echo 'directory' ;;
    "report "*) echo 'directory' ;;
    "data fetch 0") echo 'source' ;;
    "data show 0") echo 'spec source' ;;
    "doctor 0") echo 'spec' ;;
    "completion 0") echo 'words bash zsh fish' ;;
    esac
}

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
    setting | path | backend | source | augmentation | component | pruner | sampler)
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
