# fish completion for nnctl; made by `nnctl completion fish`, do not edit.

set -g __nnctl_valued --against --augment --backend --batch --best --by --checkpoint --columns --constraint --copies --count --csv --data --ensemble --epochs --eps --example --examples --export --folds --forecast --format --from --from-study --generate --gibbs-steps --grid --inputs --jobs --keep --layout --limit --method --metrics --monitor --most --of --on --out --prompt --pruner --reach --resolution --sample --sampler --samples --seed --seeds --set --shape --sheet --show --sort --space --split --step --steps --target --temperature --tensorboard-dir --threads --tolerance --top-k --trials --under --where --with -j -o

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

complete -c nnctl -n '__nnctl_at 0' -a init -d 'Look at data and write a spec that trains, with reasons'
complete -c nnctl -n '__nnctl_at 0' -a train -d 'Train the net of a spec'
complete -c nnctl -n '__nnctl_at 0' -a show -d 'Draw the curves of runs, cost, metric, learning rate'
complete -c nnctl -n '__nnctl_at 0' -a runs -d 'List runs, state, epochs, seconds and the monitored column'
complete -c nnctl -n '__nnctl_at 0' -a evaluate -d 'Measure trained nets on a split, or on new labelled data'
complete -c nnctl -n '__nnctl_at 0' -a predict -d 'Predict with a trained net'
complete -c nnctl -n '__nnctl_at 0' -a export -d 'Export a trained net to a file that other tools read'
complete -c nnctl -n '__nnctl_at 0' -a gradcheck -d 'Check the gradients of a spec numerically'
complete -c nnctl -n '__nnctl_at 0' -a parity -d 'Compare two backends, training step by training step'
complete -c nnctl -n '__nnctl_at 0' -a inspect -d 'Show what a spec compiles to, without loading its data'
complete -c nnctl -n '__nnctl_at 0' -a plot -d 'Draw a trained net, its answers, or its spec'
complete -c nnctl -n '__nnctl_at 0' -a explain -d 'Explain every value of a spec, or any component or key'
complete -c nnctl -n '__nnctl_at 0' -a trace -d 'Show one example’s training step with every number worked out'
complete -c nnctl -n '__nnctl_at 0' -a bench -d 'Time one step of a spec, launch by launch'
complete -c nnctl -n '__nnctl_at 0' -a sweep -d 'Train a spec with many settings and rank them'
complete -c nnctl -n '__nnctl_at 0' -a report -d 'Write a page on runs and sweeps, one HTML file for a browser'
complete -c nnctl -n '__nnctl_at 0' -a data -d 'List, fetch and show data sets'
complete -c nnctl -n '__nnctl_at 0' -a schema -d 'Print the JSON Schema of specs, for editors'
complete -c nnctl -n '__nnctl_at 0' -a doctor -d 'Show what this machine computes with and how a net starts'
complete -c nnctl -n '__nnctl_at 0' -a completion -d 'Print the completion script for a shell'
complete -c nnctl -n '__nnctl_at 0' -l version -d 'Print the version and exit'
complete -c nnctl -n '__nnctl_at 0' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using init' -l target -x -d 'The column to predict; of arrays the name or file of targets'
complete -c nnctl -n '__nnctl_using init' -l sheet -x -d 'The sheet of a workbook, where several have cells'
complete -c nnctl -n '__nnctl_using init' -l out -s o -r -F -d 'Write the spec to FILE instead of stdout'
complete -c nnctl -n '__nnctl_using init' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using init' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 init' -r -F

complete -c nnctl -n '__nnctl_using train' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using train' -l out -x -a '(__fish_complete_directories)' -d 'The run’s folder; runs/<name>/<next id> if absent'
complete -c nnctl -n '__nnctl_using train' -l resume -d 'Go on with the run in --out, or with the latest; start if there is none'
complete -c nnctl -n '__nnctl_using train' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the net; the spec’s if absent'
complete -c nnctl -n '__nnctl_using train' -l seed -x -d 'Instead of the spec’s seed'
complete -c nnctl -n '__nnctl_using train' -l epochs -x -d 'Instead of the spec’s epochs'
complete -c nnctl -n '__nnctl_using train' -l metrics -r -F -d 'Write the rows to FILE as well'
complete -c nnctl -n '__nnctl_using train' -l format -x -a 'jsonl csv' -d 'Of the rows; a table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using train' -l tensorboard -d 'Write scalars for TensorBoard into the run’s folder as well'
complete -c nnctl -n '__nnctl_using train' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using train' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 train' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using show' -l watch -s w -d 'Follow runs that are training, until they end'
complete -c nnctl -n '__nnctl_using show' -l by -x -a 'epoch step seconds' -d 'Draw the curves over this column; epoch if absent'
complete -c nnctl -n '__nnctl_using show' -l log -d 'Draw costs on a logarithmic axis'
complete -c nnctl -n '__nnctl_using show' -l columns -x -d 'These columns instead of the usual ones; repeatable'
complete -c nnctl -n '__nnctl_using show' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_from 0 show' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_at 0 runs' -a list -d 'List runs, state, epochs, seconds and the monitored column'
complete -c nnctl -n '__nnctl_at 0 runs' -a diff -d 'Compare two runs, specs, numbers, versions, data'
complete -c nnctl -n '__nnctl_at 0 runs' -a best -d 'Show the best finished run, by its numbers with the weights it ended with'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l where -x -a '(__nnctl_ask setting)' -d 'Only runs that meet it, or a formula as ’layers.0.units >= 30’; repeatable'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l sort -x -d 'Order by it, the best first of what was measured, else the least'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l reverse -d 'The other way round'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l columns -x -d 'These columns instead of the usual ones; repeatable'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l with-trials -d 'Also the trials of sweeps below FOLDER'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l limit -x -d 'Rows at most; 200 in a table if absent'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l format -x -a 'table jsonl csv' -d 'A table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l tensorboard-dir -x -a '(__fish_complete_directories)' -d 'Write the scalars of each run below DIR, for TensorBoard'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using runs; and not __nnctl_using runs list; and not __nnctl_using runs diff; and not __nnctl_using runs best' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 runs' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using runs list' -l where -x -a '(__nnctl_ask setting)' -d 'Only runs that meet it, or a formula as ’layers.0.units >= 30’; repeatable'
complete -c nnctl -n '__nnctl_using runs list' -l sort -x -d 'Order by it, the best first of what was measured, else the least'
complete -c nnctl -n '__nnctl_using runs list' -l reverse -d 'The other way round'
complete -c nnctl -n '__nnctl_using runs list' -l columns -x -d 'These columns instead of the usual ones; repeatable'
complete -c nnctl -n '__nnctl_using runs list' -l with-trials -d 'Also the trials of sweeps below FOLDER'
complete -c nnctl -n '__nnctl_using runs list' -l limit -x -d 'Rows at most; 200 in a table if absent'
complete -c nnctl -n '__nnctl_using runs list' -l format -x -a 'table jsonl csv' -d 'A table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using runs list' -l tensorboard-dir -x -a '(__fish_complete_directories)' -d 'Write the scalars of each run below DIR, for TensorBoard'
complete -c nnctl -n '__nnctl_using runs list' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using runs list' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 runs list' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using runs diff' -l format -x -a 'table jsonl csv' -d 'A table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using runs diff' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 runs diff' -x -a '(__fish_complete_directories)'
complete -c nnctl -n '__nnctl_at 1 runs diff' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using runs best' -l monitor -x -d 'By this column; what the runs monitor if absent'
complete -c nnctl -n '__nnctl_using runs best' -l where -x -a '(__nnctl_ask setting)' -d 'Only runs that meet it, or a formula as ’layers.0.units >= 30’; repeatable'
complete -c nnctl -n '__nnctl_using runs best' -l columns -x -d 'These columns instead of the usual ones; repeatable'
complete -c nnctl -n '__nnctl_using runs best' -l with-trials -d 'Also the trials of sweeps below FOLDER'
complete -c nnctl -n '__nnctl_using runs best' -l format -x -a 'table jsonl csv' -d 'A table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using runs best' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using runs best' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 runs best' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using evaluate' -l split -x -a 'train validation test' -d 'Whose examples; test if absent, or without one validation'
complete -c nnctl -n '__nnctl_using evaluate' -l data -x -a '(__nnctl_ask path)' -d 'Labelled examples of a file or folder, instead of a split'
complete -c nnctl -n '__nnctl_using evaluate' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using evaluate' -l top-k -x -d 'Also count answers among the K largest outputs'
complete -c nnctl -n '__nnctl_using evaluate' -l best -x -d 'The N best runs of each sweep folder that RUN names'
complete -c nnctl -n '__nnctl_using evaluate' -l augment -x -d 'Mean outputs over N augmented copies and the original'
complete -c nnctl -n '__nnctl_using evaluate' -l with -x -a '(__nnctl_ask augmentation)' -d 'For --augment, instead of the run’s own; repeatable'
complete -c nnctl -n '__nnctl_using evaluate' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the nets; each run’s own if absent'
complete -c nnctl -n '__nnctl_using evaluate' -l confusion -d 'Also show which classes are taken for which'
complete -c nnctl -n '__nnctl_using evaluate' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_from 0 evaluate' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using predict' -l top-k -x -d 'Only the K largest outputs of each example'
complete -c nnctl -n '__nnctl_using predict' -l keep -x -d 'Of a table, pass this column through; repeatable'
complete -c nnctl -n '__nnctl_using predict' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using predict' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the net; the run’s own if absent'
complete -c nnctl -n '__nnctl_using predict' -l generate -x -d 'Write N tokens of text instead, with a net trained on text'
complete -c nnctl -n '__nnctl_using predict' -l temperature -x -d '1 draws as the net says, 0 always takes the likeliest'
complete -c nnctl -n '__nnctl_using predict' -l prompt -x -d 'How the text begins'
complete -c nnctl -n '__nnctl_using predict' -l sample -x -d 'Draw N new examples instead, with a net with pretraining'
complete -c nnctl -n '__nnctl_using predict' -l gibbs-steps -x -d 'Of --sample, of each chain; 100 if absent'
complete -c nnctl -n '__nnctl_using predict' -l forecast -x -d 'Forecast N steps of a series instead, on from the end of a table or of the run’s own'
complete -c nnctl -n '__nnctl_using predict' -l out -s o -r -F -d 'Where answers go, or samples, as an array, .npy, or as a picture, .png'
complete -c nnctl -n '__nnctl_using predict' -l format -x -a 'jsonl csv' -d 'Of the answers; by --out’s suffix if absent'
complete -c nnctl -n '__nnctl_using predict' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using predict' -l seed -x -d 'Of what is drawn; the spec’s if absent'
complete -c nnctl -n '__nnctl_using predict' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 predict' -x -a '(__fish_complete_directories)'
complete -c nnctl -n '__nnctl_from 1 predict' -r -F

complete -c nnctl -n '__nnctl_using export' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using export' -l check -l no-check -d 'Of .onnx and .py, run the file on rows of the run’s data, and refuse it where it answers otherwise; done if absent'
complete -c nnctl -n '__nnctl_using export' -l layout -x -a 'torch keras nnctl' -d 'Of .safetensors, whose names, shapes and order the weights have; ours if absent'
complete -c nnctl -n '__nnctl_using export' -l encoded -d 'Of .onnx and .py, the net alone, which takes the numbers that training made of a table’s columns'
complete -c nnctl -n '__nnctl_using export' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using export' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 export' -x -a '(__fish_complete_directories)'
complete -c nnctl -n '__nnctl_at 1 export' -r -F

complete -c nnctl -n '__nnctl_using gradcheck' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using gradcheck' -l method -x -a 'complex central' -d 'The complex step, or central differences; complex if absent'
complete -c nnctl -n '__nnctl_using gradcheck' -l samples -x -d 'Components checked of each parameter; 0 for all'
complete -c nnctl -n '__nnctl_using gradcheck' -l eps -x -d 'The step of central differences; 1e-5 if absent'
complete -c nnctl -n '__nnctl_using gradcheck' -l tolerance -x -d 'Largest relative error that passes; 1e-9, or 1e-5 for central'
complete -c nnctl -n '__nnctl_using gradcheck' -l batch -x -d 'Random examples in the batch'
complete -c nnctl -n '__nnctl_using gradcheck' -l seed -x -d 'Instead of the spec’s seed'
complete -c nnctl -n '__nnctl_using gradcheck' -l curve -d 'Errors of central differences for eps from 1e-1 to 1e-12 instead'
complete -c nnctl -n '__nnctl_using gradcheck' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 gradcheck' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using parity' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using parity' -l backend -x -a '(__nnctl_ask backend)' -d 'The one that is judged; the spec’s if absent'
complete -c nnctl -n '__nnctl_using parity' -l against -x -a '(__nnctl_ask backend)' -d 'The one it is compared with; the reference if absent'
complete -c nnctl -n '__nnctl_using parity' -l steps -x -d 'Training steps'
complete -c nnctl -n '__nnctl_using parity' -l batch -x -d 'Examples a step; the spec’s if absent'
complete -c nnctl -n '__nnctl_using parity' -l seed -x -d 'Instead of the spec’s seed'
complete -c nnctl -n '__nnctl_using parity' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 parity' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using inspect' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using inspect' -l show -x -a 'summary spec graph plan code' -d 'The layers, or a stage of compilation'
complete -c nnctl -n '__nnctl_using inspect' -l step -x -a 'train evaluate predict' -d 'Whose graph or plan'
complete -c nnctl -n '__nnctl_using inspect' -l fused -d 'The graph after fusion, as the plan runs it'
complete -c nnctl -n '__nnctl_using inspect' -l batch -x -d 'Examples a step; the spec’s if absent'
complete -c nnctl -n '__nnctl_using inspect' -l backend -x -a '(__nnctl_ask backend)' -d 'Whose plan or code; the plain plan, and the fastest’s code, if absent'
complete -c nnctl -n '__nnctl_using inspect' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 inspect' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_at 0 plot' -a boundary -d 'Draw what a net answers over the plane of two inputs, with the training examples on it'
complete -c nnctl -n '__nnctl_at 0 plot' -a landscape -d 'Draw the cost around a run’s weights, along two random directions'
complete -c nnctl -n '__nnctl_at 0 plot' -a filters -d 'Draw the kernels of every convolution, and the weights of a first layer that reads images'
complete -c nnctl -n '__nnctl_at 0 plot' -a maps -d 'Draw what every layer makes of an example'
complete -c nnctl -n '__nnctl_at 0 plot' -a saliency -d 'Draw how much each input moves the score of a class'
complete -c nnctl -n '__nnctl_at 0 plot' -a augment -d 'Draw what the spec’s augmentation makes of training examples, as training will see them'
complete -c nnctl -n '__nnctl_at 0 plot' -a graph -d 'Draw a net, its layers with their shapes and parameters, or every node of its differentiated graph'
complete -c nnctl -n '__nnctl_using plot; and not __nnctl_using plot boundary; and not __nnctl_using plot landscape; and not __nnctl_using plot filters; and not __nnctl_using plot maps; and not __nnctl_using plot saliency; and not __nnctl_using plot augment; and not __nnctl_using plot graph' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using plot boundary' -l inputs -x -d 'Two inputs of several; the others stay at their mean'
complete -c nnctl -n '__nnctl_using plot boundary' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot boundary' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot boundary' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot boundary' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using plot boundary' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the net; the run’s own if absent'
complete -c nnctl -n '__nnctl_using plot boundary' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot boundary' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using plot landscape' -l seed -x -d 'Of the two directions'
complete -c nnctl -n '__nnctl_using plot landscape' -l resolution -x -d 'Places along each direction, an odd number'
complete -c nnctl -n '__nnctl_using plot landscape' -l reach -x -d 'How far to go, in lengths of the weights'
complete -c nnctl -n '__nnctl_using plot landscape' -l examples -x -d 'Examples at most that the cost is measured on'
complete -c nnctl -n '__nnctl_using plot landscape' -l split -x -a 'train validation test' -d 'Whose examples'
complete -c nnctl -n '__nnctl_using plot landscape' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot landscape' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot landscape' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot landscape' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using plot landscape' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the net; the run’s own if absent'
complete -c nnctl -n '__nnctl_using plot landscape' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot landscape' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using plot filters' -l most -x -d 'Filters of a layer at most'
complete -c nnctl -n '__nnctl_using plot filters' -l shape -x -d 'Of flat rows of pixels, their picture, as 28x28'
complete -c nnctl -n '__nnctl_using plot filters' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot filters' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot filters' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot filters' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using plot filters' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot filters' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using plot maps' -l split -x -a 'train validation test' -d 'Whose examples; test if absent, or without one validation'
complete -c nnctl -n '__nnctl_using plot maps' -l example -x -d 'The example, counted from 0'
complete -c nnctl -n '__nnctl_using plot maps' -l most -x -d 'Maps of a layer at most'
complete -c nnctl -n '__nnctl_using plot maps' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot maps' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot maps' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot maps' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using plot maps' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot maps' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using plot saliency' -l split -x -a 'train validation test' -d 'Whose examples; test if absent, or without one validation'
complete -c nnctl -n '__nnctl_using plot saliency' -l example -x -d 'The example, counted from 0'
complete -c nnctl -n '__nnctl_using plot saliency' -l count -x -d 'Images from that one on; 5 if absent'
complete -c nnctl -n '__nnctl_using plot saliency' -l of -x -d 'Whose score; of what the net answers if absent'
complete -c nnctl -n '__nnctl_using plot saliency' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot saliency' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot saliency' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot saliency' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using plot saliency' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot saliency' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using plot augment' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using plot augment' -l examples -x -d 'How many'
complete -c nnctl -n '__nnctl_using plot augment' -l copies -x -d 'Changed copies of each, of as many epochs'
complete -c nnctl -n '__nnctl_using plot augment' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot augment' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot augment' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot augment' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot augment' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using plot graph' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using plot graph' -l whole -d 'Every node of a step, with gradients and updates'
complete -c nnctl -n '__nnctl_using plot graph' -l step -x -a 'train evaluate predict' -d 'Of --whole, whose graph'
complete -c nnctl -n '__nnctl_using plot graph' -l most -x -d 'Boxes at most'
complete -c nnctl -n '__nnctl_using plot graph' -l out -s o -r -F -d 'An .svg or .png file; if absent, drawn in the terminal, SVG in a pipe'
complete -c nnctl -n '__nnctl_using plot graph' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using plot graph' -l dark -d 'Of a .png, light ink on dark'
complete -c nnctl -n '__nnctl_using plot graph' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 plot graph' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using explain' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using explain' -l under -x -a '(__nnctl_ask path)' -d 'Only what lies at or under this path, e.g'
complete -c nnctl -n '__nnctl_using explain' -l list -d 'The components of a kind, as in --list layer; without one, the kinds'
complete -c nnctl -n '__nnctl_using explain' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 explain' -x -a '(__nnctl_specs; __nnctl_ask component)'

complete -c nnctl -n '__nnctl_using trace' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using trace' -l example -x -d 'The example, counted from 0'
complete -c nnctl -n '__nnctl_using trace' -l split -x -a 'train validation test' -d 'The examples it is one of'
complete -c nnctl -n '__nnctl_using trace' -l checkpoint -x -a 'best last' -d 'The weights; those the run ended with if absent'
complete -c nnctl -n '__nnctl_using trace' -l format -x -a 'table json jsonl html' -d 'A table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using trace' -l out -s o -r -F -d 'Write the page of the format html there'
complete -c nnctl -n '__nnctl_using trace' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using trace' -l full -d 'In JSON every number of every array'
complete -c nnctl -n '__nnctl_using trace' -l stepwise -d 'A stage at a time, Enter or space goes on, q ends'
complete -c nnctl -n '__nnctl_using trace' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 trace' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using bench' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using bench' -l step -x -a 'train evaluate' -d 'Which step'
complete -c nnctl -n '__nnctl_using bench' -l steps -x -d 'Steps in each of five chunks; the fastest counts'
complete -c nnctl -n '__nnctl_using bench' -l batch -x -d 'Examples a step; the spec’s if absent'
complete -c nnctl -n '__nnctl_using bench' -l threads -x -d 'At most; the spec’s, or one a core, if absent'
complete -c nnctl -n '__nnctl_using bench' -l backend -x -a '(__nnctl_ask backend)' -d 'What runs the net; the spec’s if absent'
complete -c nnctl -n '__nnctl_using bench' -l retune -d 'Measure again what this machine chose for the step, threads, owners'
complete -c nnctl -n '__nnctl_using bench' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 bench' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_at 0 sweep' -a show -d 'Show the ranking of a sweep again, from its folder alone'
complete -c nnctl -n '__nnctl_at 0 sweep' -a fetch -d 'Copy a sweep from its address to a folder, which every command takes'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l grid -x -a '(__nnctl_ask setting)' -d 'Try these values; repeatable, all combinations'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l space -x -a '(__nnctl_ask setting)' -d 'Draw from this range, or a distribution; repeatable'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l trials -x -d 'Points of what --space names; more go on'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l sampler -x -a '(__nnctl_ask sampler)' -d 'random, qmc, grid; tpe, gp and cmaes learn from results'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l pruner -x -a '(__nnctl_ask pruner)' -d 'median, percentile, patience, halving, hyperband, wilcoxon'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l seeds -x -d 'Train each combination with N seeds; ranks means'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l folds -x -d 'Cross-validate, K runs, each validated on its own part; ranks means'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l monitor -x -d 'Rank by this column, by several; what the runs monitor if absent'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l constraint -x -d 'What a trial has to meet; repeatable'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l ensemble -x -d 'At the end judge the N best trials together, by vote and mean'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l jobs -s j -x -d 'Trials at a time; as many as do best if absent; all a cluster takes'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l on -x -d 'local, a Dask scheduler dask,//HOST,8786, or slurm.yaml'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l out -x -a '(__fish_complete_directories)' -d 'The sweep’s folder, or s3,//…; runs/<name>/sweep-<key> if absent'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l from -r -F -d 'A database with a study of Optuna, known results to begin with'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l from-study -x -d 'Of --from, where it holds several'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l export -r -F -d 'At the end write it to a database, as a study of Optuna'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using sweep; and not __nnctl_using sweep show; and not __nnctl_using sweep fetch' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 sweep' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using sweep show' -l format -x -a 'table jsonl csv' -d 'A table on a terminal if absent, else jsonl'
complete -c nnctl -n '__nnctl_using sweep show' -l limit -x -d 'Rows at most; 200 in a table if absent'
complete -c nnctl -n '__nnctl_using sweep show' -l csv -r -F -d 'Write a row a trial, with all that is known; - is stdout'
complete -c nnctl -n '__nnctl_using sweep show' -l export -r -F -d 'Write it to a database, as a study of Optuna'
complete -c nnctl -n '__nnctl_using sweep show' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using sweep show' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using sweep show' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 sweep show' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using sweep fetch' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using sweep fetch' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 1 sweep fetch' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_using report' -l out -s o -r -F -d 'The page to write; - is stdout'
complete -c nnctl -n '__nnctl_using report' -l force -d 'Overwrite a file that is there'
complete -c nnctl -n '__nnctl_using report' -l quiet -s q -d 'Nothing on stderr but errors'
complete -c nnctl -n '__nnctl_using report' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_from 0 report' -x -a '(__fish_complete_directories)'

complete -c nnctl -n '__nnctl_at 0 data' -a list -d 'List the types of data, shape, classes, examples, and where each is'
complete -c nnctl -n '__nnctl_at 0 data' -a fetch -d 'Download a data set to the user’s cache, unless it is on this machine'
complete -c nnctl -n '__nnctl_at 0 data' -a kept -d 'List what is kept of data that do not fit into memory'
complete -c nnctl -n '__nnctl_at 0 data' -a show -d 'Load a data set and show its splits, sizes, classes, range of the inputs'
complete -c nnctl -n '__nnctl_using data; and not __nnctl_using data list; and not __nnctl_using data fetch; and not __nnctl_using data kept; and not __nnctl_using data show' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using data list' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using data fetch' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 data fetch' -x -a '(__nnctl_ask source)'

complete -c nnctl -n '__nnctl_using data kept' -l clear -d 'Remove all of it; runs in progress go on'
complete -c nnctl -n '__nnctl_using data kept' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using data show' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using data show' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 data show' -x -a '(__nnctl_specs; __nnctl_ask source)'

complete -c nnctl -n '__nnctl_using schema' -l help -s h -d 'Show this message and exit'

complete -c nnctl -n '__nnctl_using doctor' -l set -x -a '(__nnctl_ask setting)' -d 'Override a value of the spec; repeatable'
complete -c nnctl -n '__nnctl_using doctor' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 doctor' -x -a '(__nnctl_specs)'

complete -c nnctl -n '__nnctl_using completion' -l help -s h -d 'Show this message and exit'
complete -c nnctl -n '__nnctl_at 0 completion' -x -a 'bash zsh fish'
