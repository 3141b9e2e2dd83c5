"""Text for nets that predict what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from nnctl.components.fields import NonEmptyStr, PositiveInt
from nnctl.components.registry import register
from nnctl.data.download.published import PublishedFiles
from nnctl.data.examples import Description, Examples
from nnctl.data.limits import require_classes
from nnctl.data.source import Portion, Source, SplitRule
from nnctl.errors import DataError

FILES = PublishedFiles(
    "the text of Shakespeare",
    "shakespeare",
    mirrors=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",),
    checksums={"input.txt": "6fb458f1232090904fb40fe944165e91"},
    instead="{type: text, path: FILE}",
    variants=lambda name: (name, "tinyshakespeare.txt", "text/tinyshakespeare.txt"),
)
_CONTIGUOUS = (
    "each row of the batches reads on in the text, so that layers can carry their state; false: windows in random order"
)


class NextTokens(Source):
    """Windows of tokens; the target of each is the one after it."""

    seeded = False

    @property
    def predicts_next(self) -> bool:
        """True: the target of a token is the next."""
        return True

    def tokens_of(self, text: str) -> Sequence[str]:
        """A text's tokens: its characters."""
        return text


@register("data", "text")
class Text(NextTokens):
    """A text, cut into windows of `length` tokens; the target of each token is the one after it.

    Inputs are indices (n, length) into the vocabulary, labels (n, length) too, so nets
    begin with an embedding or a one_hot layer and end with a softmax over the vocabulary.
    """

    example = "{type: text, path: tale.txt, length: 64, validation: 0.1}"
    of_files = (".txt",)

    path: Annotated[NonEmptyStr, "a UTF-8 file, or a folder of .txt files; relative to the spec"]
    tokens: Annotated[Literal["characters", "words"], "what is predicted one by one; blanks count as words"] = (
        "characters"
    )
    length: Annotated[PositiveInt, "tokens in a window: how far gradients reach back"] = 64
    vocabulary: Annotated[
        Annotated[int, Ge(2)] | None, "keep this many tokens, the frequent ones; the others become <unknown>"
    ] = None
    contiguous: Annotated[bool, _CONTIGUOUS] = True
    split: Annotated[SplitRule, "how windows are held out; ordered: the end of the text"] = "ordered"
    validation: Annotated[Portion | None, "windows held out for validation, a number or a share"] = 0.1

    def tokens_of(self, text: str) -> Sequence[str]:
        """Characters or words."""
        from nnctl.data import tokens

        return tokens.split(text, self.tokens)

    def describe(self, folder: Path) -> Description:
        """The description, from the text: its tokens are the vocabulary."""
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
        from nnctl.data.paths import existing_file_or_folder

        path = existing_file_or_folder(self.path, folder)
        parts = self.tokens_of(tokens.read_text(path))
        _check_length(path, len(parts), self.tokens, self.length)
        names = tokens.vocabulary_of(parts, self.vocabulary)
        require_classes(len(names), self.tokens, "keep the frequent ones: vocabulary: 10000")
        return windows(parts, names, self.length)


@register("data", "shakespeare")
class Shakespeare(NextTokens):
    """1.1 million characters of Shakespeare's plays, 65 different ones; fetched once. As `text` in all else.

    Looked for in `path` if given, else in the folder $NNCTL_DATA or its shakespeare/ or
    text/, then in the user's cache. The selection is A. Karpathy's (2015).
    """

    example = "{type: shakespeare, length: 64, validation: 0.1}"

    path: Annotated[NonEmptyStr | None, "folder of the file input.txt or tinyshakespeare.txt"] = None
    length: Annotated[PositiveInt, "characters in a window: how far gradients reach back"] = 64
    contiguous: Annotated[bool, _CONTIGUOUS] = True
    split: Annotated[SplitRule, "how windows are held out; ordered: the end of the text"] = "ordered"
    validation: Annotated[Portion | None, "windows held out for validation, a number or a share"] = 0.1

    characters: ClassVar[tuple[str, ...]] = tuple("\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    size: ClassVar[int] = 1_115_394

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _described(self.characters, self.length, (self.size - 1) // self.length)

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs and labels int64 (n, length). Downloads where there is none."""
        from nnctl.data import tokens

        (path,) = FILES.fetch(self.path, folder).values()
        text = tokens.read_text(path)
        if strange := sorted(set(text).difference(self.characters)):
            raise DataError(
                f"{path}: holds {strange[0]!r}, which the text of Shakespeare does not\n"
                "  for a text of yours write data: {type: text, path: FILE}"
            )
        _check_length(path, len(text), "characters", self.length)
        return windows(text, self.characters, self.length)

    def where(self, folder: Path) -> str:
        """The folder, or the command that fetches."""
        return FILES.where(self.path, folder)

    def fetch(self, folder: Path) -> None:
        """Download to the user's cache, unless it is there. Raises DataError: what was tried, what can be done."""
        FILES.fetch(self.path, folder)


def _check_length(path: Path, count: int, tokens: str, length: int) -> None:
    """Raise DataError where a text makes no window."""
    if count <= length:
        raise DataError(
            f"{path}: {count:,} {tokens} make no window of {length} and the one that follows\n"
            "  a smaller data.length makes more windows",
            "length",
        )


def windows(parts: Sequence[str], names: tuple[str, ...], length: int) -> Examples:
    """Windows of tokens, each with the tokens that follow; what fills no window at the end is left out."""
    from nnctl.data import tokens

    count = (len(parts) - 1) // length
    numbers = tokens.encode(parts[: count * length + 1], names)
    shape = (count, length)
    return Examples(_described(names, length, count), numbers[:-1].reshape(shape), numbers[1:].reshape(shape))


def _described(names: tuple[str, ...], length: int, count: int) -> Description:
    return Description((length,), "index", classes=names, target_shape=(length,), examples=count, vocabulary=names)
