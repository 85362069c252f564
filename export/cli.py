"""`digitd export`. Light to import: torch and onnx load when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigError


def export(
    checkpoint: Annotated[Path, typer.Argument(help="As `digitd train` writes it.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The ONNX file to write; its card goes beside it.")] = Path("digits.onnx"),
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with MNIST's idx files; else $DIGITD_DATA.", show_default=False),
    ] = None,
) -> None:
    """Write a checkpoint as a model file, checked against it on MNIST's whole test set.

    Example: digitd export runs/mnist/best.pt --out digits.onnx --data-dir ~/mnist
    """
    try:
        from export.onnx_file import export_onnx
    except ModuleNotFoundError as error:
        raise ConfigError(f"export needs {error.name}: pip install 'digitd[training]'") from None
    done = export_onnx(checkpoint, out, data_dir)
    typer.echo(
        f"{done.path}: {done.bytes:,} bytes, {done.accuracy:.2%} of {done.test} "
        f"(checkpoint {done.checkpoint_accuracy:.2%}, largest difference {done.farthest:.1e})"
    )
