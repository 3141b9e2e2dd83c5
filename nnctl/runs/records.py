"""The records of runs and sweeps: which fields each JSON file has, and of which types.

`nnctl.runs.sealed` reads and writes them. What they hold stays the plain content of
their JSON: these classes say what that is, and nothing else is accepted.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from annotated_types import MinLen

from nnctl.components.fields import NonNegativeFloat, NonNegativeInt, PositiveInt
from nnctl.late import dataclass

Row: TypeAlias = dict[str, int | float | str | None]
"""One row of the metrics."""
Sha256: TypeAlias = str
"""A digest in hexadecimal."""


class Record:
    """The content of a JSON file. remedy: the way out where it is damaged and there is no copy."""

    # As strict as a spec: no text for a number, no field that nobody knows.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"strict": True, "extra": "forbid", "allow_inf_nan": False}
    remedy: ClassVar[str] = "train a new run"


@dataclass(frozen=True)
class Origin(Record):
    """`origin.json`: where a run comes from, and what its checkpoints must agree with.

    folder: the base of relative paths in the spec. specs: digests of every text that the run's
    `spec.yaml` has had, the latest last: a spec may be resumed with more epochs. data: the
    fingerprint of the data set. started: the time, ISO 8601.
    """

    folder: str
    specs: list[Sha256]
    data: Sha256
    backend: str
    nnctl: str
    python: str
    numpy: str
    platform: str
    started: str


@dataclass(frozen=True)
class Clock(Record):
    """`progress.json`: seconds of training until `step`; apart from checkpoints, whose bytes know no time."""

    remedy = "delete it: seconds then go on from those of the last row"

    step: NonNegativeInt
    seconds: NonNegativeFloat


@dataclass(frozen=True)
class Summary(Record):
    """`summary.json`: the result of a finished run. files: digests of the run's other files, by their names in it."""

    remedy = "delete it: --resume then finishes the run again"

    name: str | None
    seed: int
    backend: str
    threads: PositiveInt
    examples: dict[str, PositiveInt]
    parameters: NonNegativeInt
    epochs: NonNegativeFloat
    steps: NonNegativeInt
    seconds: NonNegativeFloat
    stopped: str | None
    weights: Literal["best", "last"]
    monitor: str | None
    best: Row | None
    last: Row | None
    test: Row | None
    files: dict[str, Sha256]


@dataclass(frozen=True)
class EmbeddedColumn(Record):
    """The fields of an `EmbeddedColumn` of a `DataSignature`."""

    position: NonNegativeInt
    name: str
    rows: list[str]
    width: PositiveInt


@dataclass(frozen=True)
class Signature(Record):
    """The fields of a `DataSignature`."""

    input_shape: list[int]
    input_dtype: Literal["uint8", "real", "index"]
    classes: list[str] | None
    target_shape: list[int]
    statistics_shape: list[int] | None
    vocabulary: list[str] | None
    reconstructs: bool
    target_statistics_shape: list[int] | None = None
    weights_shape: list[int] | None = None
    ignores: bool = False
    embedded: list[EmbeddedColumn] = field(default_factory=list)


@dataclass(frozen=True)
class MonitorMemory(Record):
    """The fields of a `Monitor` that a checkpoint keeps."""

    column: str
    best: float | None
    best_step: NonNegativeInt | None
    reference: float | None
    waited: NonNegativeInt


@dataclass(frozen=True)
class TrainingHeader(Record):
    """The header of `last.safetensors` and `best.safetensors`: the state of training besides its arrays.

    spec, spec_sha256: the resolved spec, and the digest of its text. data: the fingerprint of the
    data set. steps, epoch: that the run will have, and that it has done. rows, rows_sha256: of the
    metrics, without their seconds. sums: of the examples since the last row. schedule: the memory of
    a monitored schedule. fitted: what the data's source learned of the training examples.
    layer_rows, layer_rows_sha256: of the rows on the layers, where these are watched.
    """

    spec: dict[str, Any]
    spec_sha256: Sha256
    data: Sha256
    backend: str
    signature: Signature
    seed: int
    examples: PositiveInt
    step: NonNegativeInt
    steps: NonNegativeInt
    epoch: NonNegativeFloat
    rows: NonNegativeInt
    rows_sha256: Sha256
    sums: dict[str, float | None]
    schedule: dict[str, bool | int | float | str | None] | None
    monitor: MonitorMemory | None
    stopped: str | None
    tensors_sha256: Sha256
    fitted: dict[str, Any] = field(default_factory=dict)
    layer_rows: NonNegativeInt = 0
    layer_rows_sha256: Sha256 = ""


@dataclass(frozen=True)
class PretrainingHeader(Record):
    """The header of `pretraining.safetensors`. layers: from the lowest up; gaussian: those whose inputs are so."""

    spec_sha256: Sha256
    data: Sha256
    layers: list[str]
    gaussian: list[str]
    tensors_sha256: Sha256


@dataclass(frozen=True)
class Search(Record):
    """`sweep.json`: all that decides what trial k of a sweep is. grid, space: (path, …) in the order of the trials.

    learning: what decides proposals, or prunes, by results; None where nothing does.
    """

    remedy = "choose another folder with --out"

    nnctl: Literal["sweep"]
    grid: list[list[Any]]
    space: list[list[Any]]
    only: list[list[str]]
    derived: list[list[str]]
    sampler: dict[str, Any]
    learning: dict[str, Any] | None
    seeds: PositiveInt
    folds: PositiveInt | None
    spec: dict[str, Any]


@dataclass(frozen=True)
class Asked(Record):
    """`asked.json`: what the sweep's line, the latest of them, asks for besides what decides each trial.

    name: of the spec. trials: points of the space. objectives: columns, none where it is what the runs monitor.
    """

    remedy = "give the sweep's line again, which writes it"

    name: str | None
    trials: PositiveInt | None
    objectives: list[str]
    constraints: list[str]


@dataclass(frozen=True)
class KnownTrial(Record):
    """A trial of an existing study. chosen: the value of each path; values: of the objectives, None if it diverged.

    rungs: of one that was pruned, which has no values either, those that it had after so many epochs, or seconds.
    """

    chosen: dict[str, Any]
    values: list[float] | None
    excesses: list[float]
    rungs: list[tuple[float, float]] | None = None


@dataclass(frozen=True)
class Known(Record):
    """`known.json`: what a sampler that learns knew before its first proposal. study: the name it had."""

    study: str
    trials: list[KnownTrial]


@dataclass(frozen=True)
class Proposed(Record):
    """A proposal of a sampler that learns. chosen: its value for each path; attributes: its notes for itself."""

    remedy = "delete it and those after it, where their trials have not begun"

    chosen: dict[str, Any]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Ended(Record):
    """The ending of a trial without a finished run. epoch: after which it was pruned, or waits; seconds: its rung.

    A rung in epochs is the epoch, and has no seconds.
    Of what diverged it is the whole epochs that were done; None where it never began, or failed. parameters: of the
    net of what was pruned or waits. error, exit_code: of what diverged or failed.
    """

    remedy = "delete it: the sweep's line then takes the trial up again"

    status: Literal["paused", "pruned", "diverged", "failed"]
    epoch: NonNegativeInt | None
    parameters: NonNegativeInt | None
    error: str | None
    exit_code: NonNegativeInt
    seconds: NonNegativeFloat | None = None


@dataclass(frozen=True)
class Part(Record):
    """A file of a carried run that is no text. name: its own at the address, in the folder of the trial."""

    name: str
    sha256: Sha256


@dataclass(frozen=True)
class Carried(Record):
    """A run as it was carried to an address: contents of its texts, and its other files, each by its name in it."""

    texts: dict[str, str]
    parts: dict[str, Part]


@dataclass(frozen=True)
class Ranked(Record):
    """A combination of settings in `results.json`."""

    settings: dict[str, Any]
    trials: list[NonNegativeInt]
    failed: NonNegativeInt
    means: dict[str, float] | None
    standard_errors: dict[str, float] | None
    feasible: bool
    front: NonNegativeInt | None
    status: Literal["finished", "pruned", "failed"]
    step: NonNegativeFloat | None
    reached: float | None
    step_unit: Literal["epochs", "seconds", "runs"] | None = None


@dataclass(frozen=True)
class RankedBy(Record):
    """An objective in `results.json`."""

    column: str
    higher_is_better: bool


@dataclass(frozen=True)
class Results(Record):
    """`results.json`: the ranking of a sweep, by its first objective within each front of all.

    importance: shares of the paths of the space, by the objective's column; empty where they are not told.
    """

    remedy = "delete it, and give the sweep's line again"

    objectives: Annotated[list[RankedBy], MinLen(1)]
    ranking: list[Ranked]
    importance: dict[str, dict[str, NonNegativeFloat]] = field(default_factory=dict)
