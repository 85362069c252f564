"""digitd.toml as JSON Schema, for editors and for docs/config.md.

The descriptions are the texts under the keys in edge/config.py. They are looked up here, not by pydantic as the models
are made, which would cost each start of the daemon 0.05 s.
"""

import ast
import inspect
from itertools import pairwise
from typing import Any

from edge import config


def schema() -> dict[str, Any]:
    """JSON Schema of 2020-12, with a description of each key."""
    whole = config.Config.model_json_schema()
    for name, texts in descriptions().items():
        part = whole if name == config.Config.__name__ else whole["$defs"].get(name, {})
        for key, text in texts.items():
            part["properties"][key]["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "title": "digitd.toml"}


def descriptions() -> dict[str, dict[str, str]]:
    """By model and key: the string that follows the key in the source, on one line."""
    found: dict[str, dict[str, str]] = {}
    for model in ast.parse(inspect.getsource(config)).body:
        if isinstance(model, ast.ClassDef):
            for key, text in pairwise(model.body):
                match key, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                        found.setdefault(model.name, {})[name] = " ".join(said.split())
    return found
