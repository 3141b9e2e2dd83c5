"""Golden texts: what a refactor must leave as it is, or show in its diff."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

RENEW = "NNCTL_RENEW_GOLDEN"


def assert_golden(text: str, path: Path) -> None:
    """The text is the file's. With NNCTL_RENEW_GOLDEN=1 the file is written instead, for a commit to show."""
    if os.environ.get(RENEW) == "1":
        path.write_text(text + "\n", encoding="utf-8")
    expected = path.read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(expected, text.splitlines(), path.name, "now", lineterm=""))
    assert not difference, "\n".join([*difference, f"if that is meant: {RENEW}=1 python -m pytest {path.parents[1]}"])
