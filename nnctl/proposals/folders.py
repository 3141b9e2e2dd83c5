"""Proposals for folders of pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nnctl.data.formats.image_folders import find_pictures, split_folders
from nnctl.data.formats.images import each_sound
from nnctl.data.formats.picture_outlines import Outline, outline_of
from nnctl.errors import DataError
from nnctl.proposals import nets
from nnctl.proposals.proposal import Answer, Called, Proposal
from nnctl.spec.noted import Noted

_MOST_OPENED = 5_000
"""Pictures whose headers are looked at; of more, so many at equal distances."""
_MOST_SIDE = 128
"""Pixels of a side up to which pictures of one size stay as they are."""
_SIDE, _STEP = 64, 8
"""Pixels of the longer side that others are brought to, and of what sides are multiples."""


def of_pictures(folder: Path, called: Called) -> Proposal:
    """A proposal for a folder of pictures. Raises DataError."""
    nested = _is_nested(folder)
    found = find_pictures(folder, nested=nested)
    files, labels, splits = found.listed
    if len(found.classes) < 2:
        raise DataError(
            f"{folder} holds pictures of one class, {found.classes[0]!r}: there is nothing to tell apart\n"
            "  put those of another class into a folder beside it"
        )
    train = [label for label, split in zip(labels, splits, strict=True) if split == 0]
    counts = Counter(train)
    sizes = [counts[label] for label in range(len(found.classes))]
    if len(train) < nets.LEAST_EXAMPLES:
        raise DataError(f"{folder} holds {len(train)} pictures to train on, and {nets.LEAST_EXAMPLES} are few already")
    step = -(-len(files) // _MOST_OPENED)
    outlines = [outline for _, outline in each_sound(files[::step], outline_of)]
    data: dict[str, object] = {"type": "images", "path": called(folder), **_reading(outlines)}
    if nested:
        data["nested"] = Noted(True, "there are folders within those of classes")
    own = [name for name in ("validation", "test") if name in found.files]
    held_out = nets.shares(len(train), test="test" not in own)
    if "validation" in own:
        del held_out["validation"]
    data |= held_out
    height, width = _size_of(data, outlines)
    channels = 1 if "grayscale" in data else 3
    answer = Answer(sizes)
    layers = nets.convolutional(len(train), (height, width, channels), answer)
    schedule = nets.training(nets.training_examples(len(train)), learning_rate=0.001, most_epochs=60)
    opened = "" if step == 1 else f" ({len(outlines):,} of them looked at)"
    what = f"{len(files):,} pictures of {len(found.classes):,} classes{opened}"
    heading = [f"Proposed for {what}: {_named(found.classes, sizes)}."]
    if own:
        heading.append(f"The folders of {' and '.join(own)} are taken as these splits.")
    advice = (*found.left_out.sentences, *nets.too_few(dict(zip(found.classes, sizes, strict=True)), "picture"))
    return Proposal(nets.whole(data, layers, answer, schedule), heading, advice)


def _reading(outlines: Sequence[Outline]) -> dict[str, object]:
    """The fields that say how pictures are read."""
    fields: dict[str, object] = {}
    sizes = Counter(outline.size for outline in outlines)
    if len(sizes) > 1 or max(next(iter(sizes))) > _MOST_SIDE:
        heights, widths = (sorted(size[axis] for size in sizes.elements()) for axis in (0, 1))
        height, width = heights[len(heights) // 2], widths[len(widths) // 2]
        scale = min(1.0, _SIDE / max(height, width))
        size = [max(_STEP, round(side * scale / _STEP) * _STEP) for side in (height, width)]
        what = f"of {len(sizes):,} sizes, {height}×{width} in the middle" if len(sizes) > 1 else f"{height}×{width}"
        fields["size"] = Noted(size, f"[height, width]: they are {what}; larger ones cost time and may be better")
    if all(outline.grey for outline in outlines):
        fields["grayscale"] = Noted(True, "none has colours")
    count = sum(outline.transparent for outline in outlines)
    if count:
        fields["background"] = Noted("white", f"{count:,} may be transparent in places")
    deep = sum(outline.deep for outline in outlines)
    if 0 < deep < len(outlines):
        fields["bits"] = Noted(8, f"{deep:,} have 16 bits a channel, the others 8")
    several = sum(outline.several for outline in outlines)
    if several:
        fields["frames"] = Noted("first", f"{several:,} files hold several pictures")
    return fields


def _size_of(data: dict[str, object], outlines: Sequence[Outline]) -> tuple[int, int]:
    size = data.get("size")
    if not isinstance(size, Noted):
        return outlines[0].size
    assert isinstance(size.value, list)
    return size.value[0], size.value[1]


def _is_nested(folder: Path) -> bool:
    """True where a folder lies within that of a class."""
    tops = list(split_folders(folder).values()) or [folder]
    return any(_folders(path) for top in tops for path in _folders(top))


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [folder / e.name for e in sorted(entries, key=lambda e: e.name) if e.is_dir() and e.name[0] != "."]


def _named(classes: Sequence[str], sizes: Sequence[int]) -> str:
    shown = [f"{name} {size:,}" for name, size in list(zip(classes, sizes, strict=True))[:8]]
    return ", ".join(shown) + (", …" if len(classes) > len(shown) else "")
