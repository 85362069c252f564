"""`digitd model` on the command line."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from edge.cli_group import group

app = group(
    "model", "Put models that you trained to use, and take them back.", "digitd model promote runs/mine/digits.onnx"
)

Folder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Of promoted models. Default: $DIGITD_MODELS, else ~/.local/share/digitd/models."),
]


@app.command("list")
def list_(
    folder: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show all models, newest first: which are in use, from when, how well they read.

    Models of single digits and of whole rows are apart: one of each is in use.

    \b
    Examples:
      digitd model list
      digitd model list --folder /var/lib/digitd/models
    """
    from edge.commands import model as command

    raise typer.Exit(command.show(folder, as_json))


@app.command()
def promote(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Model file, as `digitd export` writes it.")],
    folder: Folder = None,
    force: Annotated[bool, typer.Option("--force", help="Even if it reads worse than the one in use.")] = False,
) -> None:
    """Read with this model from now on, wherever no other is named.

    The file is opened, tried and copied; the last ten stay. It is refused where it is broken, or where its
    card says it reads worse than the one in use, by more than 0.05 points, on a test that both name.

    \b
    Examples:
      digitd model promote runs/mine/digits.onnx
      sudo digitd model promote runs/mine/digits.onnx --folder /var/lib/digitd/models

    \b
    Exit codes: 0 it is in use, 2 usage, 78 it is refused, or cannot be kept.
    """
    from edge.commands import model as command

    raise typer.Exit(command.promote(file, folder, force))


@app.command()
def rollback(
    kind: Annotated[Literal["digits", "rows"], typer.Argument(metavar="digits|rows", help="Of which kind.")] = (
        "digits"
    ),
    folder: Folder = None,
) -> None:
    """Read with the model before again: with each step one promoted before, in the end the shipped one.

    \b
    Examples:
      digitd model rollback
      digitd model rollback rows

    \b
    Exit codes: 0 done, 2 none is promoted, 78 the folder cannot be written.
    """
    from edge.commands import model as command

    raise typer.Exit(command.rollback(kind, folder))
