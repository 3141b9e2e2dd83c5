"""Plain data in one line of YAML."""

from __future__ import annotations

import json
import re

_NOT_IN_YAML = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def flow(value: object) -> str:
    """A value as YAML in flow style: JSON, with what YAML does not take as it is escaped."""
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
