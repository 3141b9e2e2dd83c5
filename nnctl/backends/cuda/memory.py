"""Memory of a plan on a device: storage, constants, the arena, scratch, and what a chunk is fed and makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.constants import constants_of
from nnctl.backends.cuda.bookkeeping import STEP
from nnctl.backends.cuda.calls import Argument, Scratch, Table, elements
from nnctl.backends.cuda.device import Device
from nnctl.late import dataclass
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan, Slot

Array = NDArray[Any]


@dataclass(frozen=True)
class Entries:
    """A feed (steps, …) that lies on the device."""

    array: Any

    def __getitem__(self, steps: slice) -> Entries:
        return Entries(self.array[steps])


class Memory:
    """The arrays of a plan, and the addresses that its calls are given.

    storage: by key, changed in place. feeds: by key, the slot of a step's entry. fed, kept: by the names of
    feeds and outputs, flat, of all steps of a chunk. Raises TypeError for storage of another type than the
    plan is for.
    """

    def __init__(self, plan: Plan, storage: Mapping[str, Any], device: Device) -> None:
        self.plan = plan
        self.device = device
        # Slots that inlined launches read are among them.
        slots = [*plan.slots, *(s for launch in plan.inlined.values() for s in launch.inputs)]
        for slot in slots:
            if slot.place == "storage" and storage[slot.key].dtype != element(slot.dtype).host:
                wanted = element(slot.dtype).name
                raise TypeError(f"{slot.key} is stored as {storage[slot.key].dtype}, the plan is for {wanted}")
        self.storage = storage
        self.constants = {k: device.upload(a) for k, a in constants_of(plan, storage, device.download).items()}
        self.arena = device.empty((max(1, plan.arena_bytes),), np.uint8)
        self.feeds = {slot.key: slot for slot in slots if slot.place == "feed"}
        self.entries = {key: self.new(slot.shape, slot) for key, slot in self.feeds.items()}
        self.control = device.upload(np.array([1, 0, 0], np.int32))
        self.fed: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        self._scratch: dict[tuple[int, str], Any] = {}
        self._tables: dict[Table, Any] = {}
        self._room = -1

    # -- a chunk -------------------------------------------------------------------

    def make_room(self, steps: int) -> bool:
        """True where new arrays had to be made for the feeds and outputs of so many steps."""
        if steps <= self._room:
            return False
        self._room = steps
        self.fed = {key: self.new((steps * elements(slot),), slot) for key, slot in self.feeds.items()}
        self.kept = {name: self.new((steps * elements(slot),), slot) for name, slot in self.plan.outputs.items()}
        return True

    def fill(self, feeds: Mapping[str, Array | Entries], steps: int) -> None:
        """Put the feeds of a chunk into their places and begin its count.

        What lies on the device is copied there, so that graphs find every chunk's at one address. Raises ValueError
        for feeds of another size, TypeError for those on the device of another type.
        """
        for key, slot in self.feeds.items():
            feed, host, size = feeds[key], element(slot.dtype).host, elements(slot)
            placed = feed.array if isinstance(feed, Entries) else None
            array = np.require(feed, host, "C") if placed is None else placed
            if array.dtype != host:
                raise TypeError(f"feed {key} lies on the device as {array.dtype}, the plan takes {host}")
            if array.size != steps * size:
                raise ValueError(f"feed {key} has {array.size} elements, {steps} steps of {size} need {steps * size}")
            put = self.device.write if placed is None else self.device.copy
            put(self.fed[key], array.reshape(-1))
        self.device.write(self.control, np.array([1, 0, 0], np.int32))

    def made(self) -> tuple[int, dict[str, Array]]:
        """The number of steps completed, when the work before is done, and their outputs."""
        completed = int(self.device.download(self.control)[STEP])
        return completed, {
            name: self.device.download(self.kept[name][: completed * elements(slot)]).reshape(completed, *slot.shape)
            for name, slot in self.plan.outputs.items()
        }

    # -- addresses -----------------------------------------------------------------

    def array(self, slot: Slot) -> Any:
        """The array of a slot; of a feed, the entry of the present step."""
        match slot.place:
            case "storage":
                array = self.storage[slot.key]
            case "feed":
                array = self.entries[slot.key]
            case "constant":
                array = self.constants[slot.key]
            case "arena":
                host = element(slot.dtype).host
                array = self.arena[slot.offset : slot.offset + elements(slot) * host.itemsize].view(host)
            case "inline":
                raise ValueError(f"{slot.name} is inlined and has no memory")
        return array.reshape(slot.shape)

    def given(self, number: int, argument: Argument) -> Any:
        """An argument of a call of launch `number` as the device takes it."""
        match argument:
            case Slot():
                return self.at(self.array(argument))
            case Scratch():
                key = (number, argument.key)
                if key not in self._scratch:
                    host = element(argument.dtype).host
                    self._scratch[key] = self.device.empty((max(1, argument.elements),), host)
                return self.at(self._scratch[key])
            case Table():
                return self.at(self.table(argument))
            case int():
                return np.int32(argument)
            case float():
                return np.float32(argument)

    def table(self, table: Table) -> Any:
        """The array of a table, uploaded once."""
        if table not in self._tables:
            self._tables[table] = self.device.upload(np.array(table.numbers, np.float32))
        return self._tables[table]

    def at(self, array: Any) -> np.uint64:
        """The address of an array."""
        return np.uint64(self.device.address(array))

    def entry(self, entry: int) -> np.uint64:
        """The address of an entry of the control block."""
        return np.uint64(self.device.address(self.control) + 4 * entry)

    def new(self, shape: tuple[int, ...], like: Slot) -> Any:
        """A new array of a slot's elements."""
        return self.device.empty(shape, element(like.dtype).host)
