"""`nnctl schema`."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of specs, for editors.

    With the YAML language server, save it and begin a spec with the line
    `# yaml-language-server: $schema=nnctl.schema.json`.
    """
    import json

    from nnctl.spec.schema.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
