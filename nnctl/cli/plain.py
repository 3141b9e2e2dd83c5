"""Values of arguments and options that are texts, whole numbers and paths, taken without pydantic.

Typer has pydantic convert every value, those that are absent, too; to load it takes a seventh of a short command.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args, get_origin

_BESIDES = ("exists", "writable", "resolve_path", "allow_dash", "path_type", "parser", "clamp")
"""Names of what a parameter may ask of a value besides."""


def take_plainly(command: Any, parent: Any = None) -> Any:
    """The same command, whose parameters, and those of commands below it, take plain values so.

    parent: the context that it is called in.
    """
    context = command.context_class(command, info_name=command.name, parent=parent, **command.context_settings)
    # Not of `params`: the option for help is made when it is first asked for.
    for parameter in command.get_params(context):
        # Typer from 0.29 on, which makes its own where there is none; one without these parts does as ever.
        if hasattr(parameter, "_runtime_param") and hasattr(parameter, "type_descriptor"):
            parameter._runtime_param = _Plain(parameter)
    for branch in getattr(command, "commands", {}).values():
        take_plainly(branch, context)
    return command


class _Plain:
    """The conversion of a parameter's values: Typer's own for all that is not plain, and for what is wrong."""

    def __init__(self, parameter: Any) -> None:
        self._descriptor = parameter.type_descriptor
        self._asked = self._descriptor.parameter_info

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value for the command. Raises BadParameter with Typer's words."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if not any(getattr(self._asked, name, None) for name in _BESIDES):
            plain = self._plain(self._descriptor.annotation, value)
            if plain is not None:
                return plain
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)

    def _plain(self, annotation: Any, value: Any) -> Any:
        """A value as what is wanted, where that is plain and the value fits; None where Typer has to look at it."""
        if get_origin(annotation) is list and isinstance(value, list | tuple):
            (of,) = get_args(annotation)
            found = [self._plain(of, each) for each in value]
            return None if None in found else found
        if annotation is str and isinstance(value, str):
            return value
        if annotation in (int, float) and (isinstance(value, annotation) or _is_whole(annotation, value)):
            number = annotation(value)
            low, high = self._asked.min, self._asked.max
            return number if (low is None or low <= number) and (high is None or number <= high) else None
        if annotation is Path and isinstance(value, str | Path):
            return Path(value) if os.access(value, os.R_OK) or not os.path.lexists(value) else None
        return None


def _is_whole(annotation: type, value: Any) -> bool:
    return annotation is int and isinstance(value, str) and value.isascii() and value.isdigit()
