"""Every exception of nnctl and the exit code it ends the process with.

NnctlError                1   a defect of ours
├── UsageError            2   the command line
│   ├── SpecError         2   the spec, with one `Diagnostic` a problem
│   ├── ShapeError        2   layers that do not fit together, or not the data
│   └── FormulaError      2   a component whose formula is none
├── DataError             3   a data set that is missing, broken or unreachable
├── RunError              2   a run folder that is missing, in the way or damaged
│   ├── RunInUse          2   another process trains into it
│   └── RunThere          2   it holds a run already
├── KernelError           1   a kernel that does not compile
├── DeviceError           2   a device that does not do what is asked of it
│   ├── DeviceFull        2   it has no memory left
│   └── DeviceLost        2   it does not answer any more
├── DivergedError         4   the cost stopped being a number
├── GradcheckFailed       5   an analytic gradient is wrong
├── ParityFailed          5   two backends differ by more than rounding
├── ExchangeFailed        5   an exported net answers otherwise than the run's
└── Interrupted 129/130/143   SIGHUP, SIGINT or SIGTERM, after saving
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from nnctl.late import dataclass
from nnctl.screen.characters import false_blank, harmless, width_of


@dataclass(frozen=True)
class Location:
    """A span of one line of a text: `line` and `column` count from 1, `width` in characters."""

    path: str
    line: int
    column: int
    width: int = 1
    text: str = ""
    """The full line, without its newline."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One problem, as a compiler prints it.

    `message` says what is wrong in one line, `expected` what would be right,
    `hint` the likely fix ("did you mean 'relu'?"), `related` another place that
    matters with the words to print beside it (the first of two equal keys).
    """

    message: str
    location: Location | None = None
    expected: str = ""
    hint: str = ""
    related: tuple[tuple[Location, str], ...] = ()

    def render(self) -> str:
        lines = [f"{self.location}: error: {self.message}" if self.location else f"error: {self.message}"]
        if self.location:
            lines += _excerpt(self.location)
        if self.expected:
            lines.append(f"  expected {self.expected}")
        if self.hint:
            lines.append(f"  {self.hint}")
        if self.location and (found := false_blank(self.location.text)):
            lines.append(f"  character {found[0] + 1} of the line is a {found[1]}: type a plain blank in its place")
        for location, words in self.related:
            lines.append(f"{location}: note: {words}")
            lines += _excerpt(location)
        return "\n".join(lines)


MOST_PROBLEMS = 20
"""Problems of a spec that are printed; of more than these, the number."""
_WINDOW, _BEFORE = 160, 60
"""Characters that are shown of a line, and how many of them come before the place."""


def _window(location: Location) -> Location:
    """The location in the part of its line around it, with … where the line is longer."""
    text = location.text
    if len(text) <= _WINDOW:
        return location
    start = location.column - 1
    first = max(0, min(start - _BEFORE, len(text) - _WINDOW))
    last = min(len(text), first + _WINDOW)
    shown = f"{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}"
    column = start - first + (2 if first else 1)
    return replace(location, text=shown, column=column, width=max(1, min(location.width, last - start)))


def _excerpt(location: Location) -> list[str]:
    location = _window(location)
    if not location.text.strip():
        return []
    number = str(location.line)
    gutter = " " * len(number)
    start = location.column - 1
    before, marked = harmless(location.text[:start]), harmless(location.text[start : start + location.width])
    # Tabs keep their width in the caret's line only if they are repeated there.
    blank = "\t".join(" " * width_of(part) for part in before.split("\t"))
    carets = "^" * max(1, width_of(marked))
    return [f"  {number} | {harmless(location.text)}", f"  {gutter} | {blank}{carets}"]


class NnctlError(Exception):
    """The root of the tree. `str()` of it is what the user reads."""

    exit_code = 1


class UsageError(NnctlError):
    """The command line asks for something that cannot be."""

    exit_code = 2


def require_choice(option: str, value: str, choices: Collection[str], noun: str | None = None) -> None:
    """Raise UsageError where the value of an option is none of its choices. noun: for one, else its name."""
    if value not in choices:
        *others, last = choices
        expected = f"{', '.join(others)} or {last}"
        raise UsageError(f"{option} {value}: there is no such {noun or option.lstrip('-')}\n  expected {expected}")


class SpecError(UsageError):
    """All problems of a spec, in the order of the file."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        lines = [d.render() for d in self.diagnostics[:MOST_PROBLEMS]]
        if (more := len(self.diagnostics) - MOST_PROBLEMS) > 0:
            lines.append(f"and {more:,} more")
        super().__init__("\n".join(lines))


class ShapeError(UsageError):
    """Shapes that do not fit.

    `layer` is the layer's name, `path` its place in the spec ("layers.2"); the graph builder sets both.
    """

    def __init__(self, message: str, hint: str = "", layer: str = "", path: str = "") -> None:
        self.message = message
        self.hint = hint
        self.layer = layer
        self.path = path
        super().__init__(message)

    def __str__(self) -> str:
        where = f"{self.layer}: " if self.layer else ""
        return where + self.message + (f"\n  {self.hint}" if self.hint else "")


class FormulaError(UsageError):
    """A component's formula does what no formula can, and so cannot be differentiated or compiled.

    `module` and `body` say where, as Python calls a function; whose it is, the graph builder puts in their place.
    """

    def __init__(self, message: str, module: str, body: str) -> None:
        self.message = message
        self.module = module
        self.body = body
        super().__init__(f"{body} in {module} {message}")

    def of(self, owner: str) -> UsageError:
        """The error as the user reads it."""
        return UsageError(f"{owner} {self.message}")


class DataError(NnctlError):
    """A data set is missing, broken, cannot be fetched, or is not what the spec takes it for.

    `field` is the key of the spec's `data` that does not fit ("classes"), empty where none is to blame.
    """

    exit_code = 3

    def __init__(self, message: str, field: str = "") -> None:
        self.message = message
        self.field = field
        super().__init__(f"data.{field}: {message}" if field else message)


class StorageError(NnctlError):
    """A folder in which something is kept for later runs cannot be written."""

    exit_code = 2


class RunError(NnctlError):
    """A run folder is missing, damaged, or already there."""

    exit_code = 2


class RunInUse(RunError):
    """Another process trains into the run folder."""


class RunThere(RunError):
    """A new run's folder holds a run already."""


class KernelError(NnctlError):
    """A compiler does not take a kernel."""


class DeviceError(NnctlError):
    """A device does not do what is asked of it."""

    exit_code = 2


class DeviceFull(DeviceError):
    """A device has no memory left."""


class DeviceLost(DeviceError):
    """Nothing can be asked of a device any more by this process."""


class DivergedError(NnctlError):
    """A tensor of the training step is no longer finite."""

    exit_code = 4


class GradcheckFailed(NnctlError):
    """An analytic derivative disagrees with the numeric one."""

    exit_code = 5


class ParityFailed(NnctlError):
    """Two backends do not train a net alike."""

    exit_code = 5


class ExchangeFailed(NnctlError):
    """A net in the file of another tool does not answer as it does here."""

    exit_code = 5


class Interrupted(NnctlError):
    """A signal has ended the run; the checkpoint has been saved."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
