"""`digitd config` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli_group import group

app = group(
    "config",
    "Look into digitd.toml: is it right, what does it mean, what may stand in it.",
    "digitd config check /etc/digitd/digitd.toml",
)

ConfigFile = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="Default: digitd.toml here, else /etc/digitd/digitd.toml."),
]


@app.command()
def check(file: ConfigFile = None) -> None:
    """Say whether it can be loaded: each fault by its line, and what is likely to disappoint.

    \b
    Examples:
      digitd config check
      digitd config check /etc/digitd/digitd.toml && sudo systemctl reload digitd

    \b
    Exit codes: 0 it can be loaded, 78 it cannot.
    """
    from edge.commands import config as command

    raise typer.Exit(command.check(file))


@app.command()
def show(file: ConfigFile = None) -> None:
    """Print what is in force: the file's values and the defaults of all others, as TOML.

    \b
    Example:
      digitd config show > all.toml
    """
    from edge.commands import config as command

    raise typer.Exit(command.show(file))


@app.command()
def schema() -> None:
    """Print what may stand in digitd.toml, as JSON Schema, for editors.

    \b
    Example:
      digitd config schema > digitd.schema.json
    """
    from edge.commands import config as command

    raise typer.Exit(command.schema())


@app.command()
def default() -> None:
    """Print the annotated digitd.toml to begin with: one USB camera, readings on standard output.

    \b
    Example:
      digitd config default > digitd.toml
    """
    from edge.commands import config as command

    raise typer.Exit(command.default())
