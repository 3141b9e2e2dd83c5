"""`nnctl completion`, and the command line read off Typer for the scripts of the three shells.

A script knows commands, options and fixed words by itself, so that they come
at once; it calls the hidden `nnctl complete` only for what depends on a spec
or on the installed components.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from nnctl.cli.completion.tree import Argument, Command, Kind, Option, ValueSet


class Shell(StrEnum):
    """A shell that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SAFE = str.maketrans("[]:'\"", "(),’”", "`")
"""Characters that mean something in the scripts, and what stands for them."""

_VALUES_OF_METAVAR = {
    "SPEC": ValueSet(Kind.SPEC),
    "SPEC|RUN": ValueSet(Kind.SPEC),
    "SPEC|NAME": ValueSet(Kind.SPEC, also=Kind.SOURCE),
    "SPEC|COMPONENT": ValueSet(Kind.SPEC, also=Kind.COMPONENT),
    "RUN": ValueSet(Kind.DIRECTORY),
    "A": ValueSet(Kind.DIRECTORY),
    "B": ValueSet(Kind.DIRECTORY),
    "FOLDER": ValueSet(Kind.DIRECTORY),
    "DIR": ValueSet(Kind.DIRECTORY),
    "DIR|URL": ValueSet(Kind.DIRECTORY),
    "FILE": ValueSet(Kind.FILE),
    "FILE|URL": ValueSet(Kind.FILE),
    "OUT": ValueSet(Kind.FILE),
    "INPUT": ValueSet(Kind.FILE),
    "FILE|FOLDER": ValueSet(Kind.FILE),
    "PATH": ValueSet(Kind.PATH),
    "PATH=VALUE": ValueSet(Kind.SETTING),
    "PATH=A,B,C": ValueSet(Kind.SETTING),
    "PATH=LOW:HIGH[:log|:STEP]": ValueSet(Kind.SETTING),
    "SOURCE": ValueSet(Kind.SOURCE),
    "AUGMENTATION": ValueSet(Kind.AUGMENTATION),
    "PRUNER": ValueSet(Kind.PRUNER),
    "SAMPLER": ValueSet(Kind.SAMPLER),
}


def describe() -> Command:
    """The command line of nnctl, read off Typer's tree."""
    from nnctl.cli.app import command

    return _describe(command(), (), None)


def _describe(command: Any, path: tuple[str, ...], parent: Any) -> Command:
    context = command.make_context(path[-1] if path else "nnctl", [], parent=parent, resilient_parsing=True)
    options: list[Option] = []
    arguments: list[Argument] = []
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False):
            continue
        value = _value(parameter, context)
        if parameter.param_type_name == "argument":
            arguments.append(Argument(parameter.name, value, parameter.nargs == -1))
        else:
            # Typer keeps the spellings of --help in a set.
            names = tuple(sorted((*parameter.opts, *parameter.secondary_opts)))
            options.append(Option(names, _first_sentence(parameter.help or ""), value, bool(parameter.multiple)))
    below = [
        _describe(child, (*path, name), context)
        for name in (command.list_commands(context) if hasattr(command, "commands") else ())
        if not (child := command.commands[name]).hidden
    ]
    return Command(path, _first_sentence(command.help or ""), tuple(options), tuple(arguments), tuple(below))


def _value(parameter: Any, context: Any) -> ValueSet:
    if getattr(parameter, "is_flag", False):
        return ValueSet(Kind.FLAG)
    words = tuple(item.value for item in parameter.shell_complete(context, "") if item.type == "plain")
    if words:
        return ValueSet(Kind.WORDS, words)
    if {"--backend", "--against"} & set(parameter.opts):
        return ValueSet(Kind.BACKEND)
    metavar = parameter.metavar or parameter.name.upper()
    # "[INPUT...]": what may be left out or repeated is of the same kind.
    if metavar.startswith("["):
        metavar = metavar[1:].removesuffix("]")
    metavar = metavar.removesuffix("...")
    if metavar.islower() and "|" in metavar:
        return ValueSet(Kind.WORDS, tuple(metavar.split("|")))
    return _VALUES_OF_METAVAR.get(metavar, ValueSet(Kind.FREE))


def _first_sentence(text: str) -> str:
    """The first sentence in one line, without its full stop and without what the shells would take for syntax."""
    sentence = " ".join(text.split("\n\n")[0].split()).split(". ")[0].removesuffix(".")
    return sentence.translate(_SAFE)


def script(shell: Shell) -> str:
    """The completion script for a shell, as in the folder `completions/`."""
    from nnctl.cli.completion import bash, fish, zsh

    generate = {Shell.BASH: bash.generate, Shell.ZSH: zsh.generate, Shell.FISH: fish.generate}[shell]
    return generate(describe())


def completion(shell: Annotated[Shell, typer.Argument(help="The shell.", show_default=False)]) -> None:
    """Print the completion script for a shell.

    bash: `source <(nnctl completion bash)` in ~/.bashrc.
    zsh: `nnctl completion zsh > ~/.zfunc/_nnctl`, with ~/.zfunc in $fpath.
    fish: `nnctl completion fish > ~/.config/fish/completions/nnctl.fish`.
    """
    typer.echo(script(shell), nl=False)
