"""Former names of options: each is an error that says the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnctl.errors import UsageError

FORMER: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("plot", "boundary"): {"--columns": "--inputs"},
    ("plot", "landscape"): {"--grid": "--resolution"},
    ("predict",): {"--steps": "--forecast, or of --sample --gibbs-steps"},
    ("runs",): {"--tensorboard": "--tensorboard-dir", "--trials": "--with-trials"},
    ("show",): {"--column": "--columns"},
    ("sweep", "show"): {"--best": "--limit"},
    ("trace",): {"--step": "--stepwise"},
}
"""By the command's words and the former name, what is said in its place."""


def require_present_names(words: Sequence[str]) -> None:
    """Raise UsageError where a command line has an option by a name that it had once."""
    for command, names in FORMER.items():
        if tuple(words[: len(command)]) == command:
            for word in words[len(command) :]:
                if word == "--":
                    return
                option = word.partition("=")[0]
                if option in names:
                    raise UsageError(
                        f"{option}: nnctl {' '.join(command)} has no such option\n  it is now {names[option]}"
                    )
