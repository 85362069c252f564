"""`digitd config`: what stands in digitd.toml, and what may."""

import json
import sys
from pathlib import Path
from typing import Any

from edge.config import Config, find, load
from edge.config_check import warnings, without_password
from edge.text import printable
from edge.toml import dumps


def check(named: Path | None) -> int:
    """Prints "ok", a summary, and warnings. Raises ConfigError, one line for each fault."""
    path = find(named)
    config = load(path)
    lines = [f"ok       {path}", *summary(config), *(f"WARNING  {warning}" for warning in warnings(config))]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return 0


def show(named: Path | None) -> int:
    """Prints the file with all that it leaves to digitd, as TOML that can be loaded again."""
    path = find(named)
    sys.stdout.write(printable(f"# {path}, and all defaults") + "\n\n" + dumps(effective(load(path))))
    return 0


def schema() -> int:
    from edge.config_schema import schema

    sys.stdout.write(json.dumps(schema(), ensure_ascii=False, indent=2) + "\n")
    return 0


def default() -> int:
    """Prints the annotated file that comes with digitd."""
    from edge.service import default_config

    sys.stdout.write(default_config().read_text(encoding="utf-8"))
    return 0


def summary(config: Config) -> list[str]:
    """A line for each camera and each sink."""
    cameras = [f"camera   {name}: {without_password(camera.source)}" for name, camera in config.cameras.items()]
    return cameras + [f"sink     {name}: {sink.type}" for name, sink in config.sinks.items()]


def effective(config: Config) -> dict[str, Any]:
    """All keys and values, as TOML has them. Passwords within URLs are left out."""
    document: dict[str, Any] = _shown(config.model_dump(mode="json"))
    return document


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    return without_password(value) if isinstance(value, str) else value
