"""Text for nets that predict what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from nnctl.data.source import Description, Examples, Portion, Source, SplitRule
from nnctl.errors import DataError
from nnctl.spec.fields import NonEmptyStr, PositiveInt
from nnctl.spec.registry import register


@register("data", "text")
class Text(Source):
    """A text, cut into windows of `length` tokens; the target of each token is the one after it.

    Inputs are indices (n, length) into the vocabulary, labels (n, length) too, so nets
    begin with an embedding or a one_hot layer and end with a softmax over the vocabulary.
    """

    path: Annotated[NonEmptyStr, "a UTF-8 file, or a folder of .txt files; relative to the spec"]
    tokens: Annotated[Literal["characters", "words"], "what is predicted one by one; blanks count as words"] = (
        "characters"
    )
    length: Annotated[PositiveInt, "tokens in a window: how far gradients reach back"] = 64
    vocabulary: Annotated[
        Annotated[int, Ge(2)] | None, "keep this many tokens, the frequent ones; the others become <unknown>"
    ] = None
    contiguous: Annotated[
        bool,
        "each row of the batches reads on in the text, so that layers can carry their state; "
        "false: windows in random order",
    ] = True
    split: Annotated[SplitRule, "how windows are held out; ordered: the end of the text"] = "ordered"
    validation: Annotated[Portion | None, "windows held out for validation, a number or a share"] = 0.1

    def describe(self, folder: Path) -> Description:
        """By reading the text: its tokens are the vocabulary."""
        return self._read(folder).description

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs and labels int64 (n, length)."""
        return self._read(folder)

    def where(self, folder: Path) -> str:
        """The file."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))

    def _read(self, folder: Path) -> Examples:
        from nnctl.data import tokens
        from nnctl.data.paths import existing_file, resolve

        path = resolve(self.path, folder)
        text = tokens.read_text(path if path.is_dir() else existing_file(self.path, folder))
        parts = tokens.split(text, self.tokens)
        windows = (len(parts) - 1) // self.length
        if windows < 1:
            raise DataError(
                f"{path}: {len(parts):,} {self.tokens} make no window of {self.length} and the one that follows\n"
                "  a smaller data.length makes more windows"
            )
        names = tokens.vocabulary_of(parts, self.vocabulary)
        numbers = tokens.encode(parts[: windows * self.length + 1], names)
        shape = (windows, self.length)
        description = Description(
            (self.length,), "index", classes=names, target_shape=(self.length,), examples=windows, vocabulary=names
        )
        return Examples(description, numbers[:-1].reshape(shape), numbers[1:].reshape(shape))
