"""Kinds around a run: what executes its plans, and what a sweep draws its settings from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from nnctl.components.registry import Component


class Distribution(Component):
    """A distribution that a random sweep draws a value from."""

    kind: ClassVar[str] = "distribution"

    def quantile(self, u: float) -> object:
        """The value below which a share u of the draws lies, 0 ≤ u < 1."""
        raise NotImplementedError


class BackendComponent(Component):
    """An executor of plans. The component lives in the executor's folder and loads nothing of it before `open`.

    rank: among those that can run a net, `auto` takes the highest. reference: of the one backend that judges
    all others, runs every net, and computes on the host's own NumPy arrays. same_as: the name of the component
    that this is another name of, "" for its own; it has the same fields. libraries: the distributions that it
    computes with, for `nnctl doctor`.
    """

    kind: ClassVar[str] = "backend"
    of_number: ClassVar[str] = "{type: cpu, threads: …}"
    rank: ClassVar[int] = 0
    reference: ClassVar[bool] = False
    same_as: ClassVar[str] = ""
    libraries: ClassVar[tuple[str, ...]] = ()

    def obstacle(self) -> str | None:
        """The reason why it cannot be opened on this machine, e.g. "CuPy is not installed"; None if it can."""
        return None

    def suits_machine(self) -> bool:
        """True where this machine has what the backend is for; else `auto` passes it over without a word."""
        return True

    def open(self, workers: int | None = None) -> Any:
        """The executor, a `nnctl.backends.contract.Backend`.

        workers: threads of the host that share a step at most, where the component's own fields do not say;
        its own choice if None.
        """
        raise NotImplementedError

    def planner(self) -> Any:
        """The half of the executor that plans and lists code, a `nnctl.backends.contract.Planner`.

        A backend whose half needs nothing of the machine gives it on every machine.
        """
        return self.open()

    def sharing(self, workers: int) -> Self:
        """The same backend with so many workers at most; itself where it does not divide a step among any."""
        return self
