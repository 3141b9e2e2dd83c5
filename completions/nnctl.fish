# fish completion for nnctl; made by `nnctl completion fish`, do not edit.

set -g __nnctl_valued --backend --epochs --format --metrics --out --seed --set

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

function __nnctl_specs
    set -l token (string replace -r -- '^-[^=]*=' '' (commandline -ct))
    for path in $token*.yaml $token*.yml $token*/
        echo $path
    end
end

function __nnctl_ask -d 'values that depend on the spec of this line or on the installed components'
    set -l token (string replace -r -- '^--[^=]*=' '' (commandline -ct))
    set -l spec (string match -r -- '^.*\.ya?ml$' (commandline -opc))
    if set -q spec[1]
        nnctl complete $argv[1] "$token" --spec=$spec[1] 2>/dev/null
    else
        nnctl complete $argv[1] "$token" 2>/dev/null
    end
end

complete -c nnctl -f

complete -c nnctl -n '__nnctl_at 0' -a train -d 'Train the net of a spec'
complete -c nnctl -n '__nnctl_at 0' -a schema -d 'Print the JSON Schema of specs, for editors'
complete -c nnctl -n '__nnctl_at 0' -a completion -d 'Print the completion script for a shell'
complete -c nnctl -n '__nnctl_at 0' -l version -d 'Print the version and exit'
complete -c nnctl -n '__nnctl_at 0' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using train' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using train' -l out -x -a '(__fish_complete_directories)' -d 'The run’s folder; runs/<name>/<next id> if absent'
complete -c nnctl -n '__nnctl_using train' -l resume -d 'Go on with the run in --out, or with the latest; start if there is none'
complete -c nnctl -n '__nnctl_using train' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the net'
complete -c nnctl -n '__nnctl_using train' -l seed -x -d 'Instead of the spec’s seed'
complete -c nnctl -n '__nnctl_using train' -l epochs -x -d 'Instead of the spec’s epochs'
complete -c nnctl -n '__nnctl_using train' -l metrics -r -F -d 'Write the rows to FILE as well'
complete -c nnctl -n '__nnctl_using train' -l format -x -a 'jsonl csv' -d 'Of the rows; a table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using train' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using train' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 train' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using schema' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using completion' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 completion' -x -a 'bash zsh fish'
