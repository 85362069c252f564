"""`digitd export`, `quantize` and `verify`. Light to import: torch and onnx load when a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from edge.model_card import Precision

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with MNIST's idx files; else $DIGITD_DATA.", show_default=False),
]

PRECISIONS: "dict[str, Precision]" = {"fp32": "float32", "packed": "packed", "fp16": "float16", "int8": "int8"}


def export(
    checkpoint: Annotated[Path, typer.Argument(help="As `digitd train` writes it.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The ONNX file to write; its card goes beside it.")] = Path("digits.onnx"),
    precision: Annotated[
        str, typer.Option(metavar="LIST", help="Of fp32, packed, fp16 (for CUDA) and int8, with commas between.")
    ] = "fp32",
    all_precisions: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    triton: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A model repository of Triton to write too.", show_default=False),
    ] = None,
    program: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pt2", help="What torch.export saves, to write too.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a checkpoint as model files, checked against it on MNIST's whole test set.

    packed, half of the size and computed in fp32, goes into NAME.packed.onnx, fp16 into
    NAME.fp16.onnx and int8 into NAME.int8.onnx, and these are checked on validation samples
    of every source too. A file that fails a gate is not written.

    \b
    Examples:
      digitd export runs/mnist/best.pt --out digits.onnx --data-dir ~/mnist
      digitd export runs/mnist/best.pt --precision fp32,int8
      digitd export runs/mnist/best.pt --all --triton models/ --program digits.pt2
    """
    asked = tuple(PRECISIONS) if all_precisions else tuple(precision.replace(" ", "").split(","))
    if unknown := set(asked) - set(PRECISIONS):
        raise UsageError(f"--precision: {', '.join(sorted(unknown))!r} is none of {', '.join(PRECISIONS)}")
    if program is not None and program.suffix != ".pt2":
        raise UsageError(f"--program: {program} does not end in .pt2, by which PyTorch knows such files")
    try:
        from export.onnx_file import export_onnx, export_torch_program
        from export.triton import write_repository
        from export.writing import refuse_unwritable
    except ModuleNotFoundError as error:
        raise _without(error) from None
    for path in (out, program, triton and triton / "any"):
        if path is not None:
            refuse_unwritable(path)
    files = export_onnx(checkpoint, out, data_dir, [PRECISIONS[name] for name in asked])
    for file in files:
        typer.echo(f"{file.path}: {file.bytes:,} bytes, largest difference {file.farthest:.1e}")
        for test, share in file.accuracies.items():
            typer.echo(f"  {test}: {share:.2%} (checkpoint {file.before[test]:.2%})")
        for number, one in enumerate(file.tries):
            typer.echo(f"  {'ranges by' if number == 0 else 'not by'} {one.way}: distance {one.distance:.2e}")
    if triton is not None:
        typer.echo(f"{write_repository(files[0].path, triton)}: for tritonserver --model-repository={triton}")
    if program is not None:
        export_torch_program(checkpoint, program)
        typer.echo(f"{program}: for torch.export.load")


def quantize(
    model: Annotated[Path, typer.Argument(help="A float32 model file of single digits.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="NAME.int8.onnx beside it")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a model file as int8, checked against it: a third of the size.

    Calibrated on MNIST's training digits where they are there, else on drawn ones. Where
    there is a checkpoint, `digitd export --precision int8` knows what it was trained on.

    \b
    Example:
      digitd quantize digits.onnx --out digits.int8.onnx --data-dir ~/mnist
    """
    try:
        from export.quantize import quantize as quantised
        from export.samples import refuse_empty
        from export.writing import refuse_unwritable
    except ModuleNotFoundError as error:
        raise _without(error) from None
    out = out or model.with_name(f"{model.stem}.int8{model.suffix}")
    refuse_empty(data_dir)
    refuse_unwritable(out)
    done = quantised(model, out, data_dir)
    typer.echo(f"{done.path}: {done.bytes:,} bytes, ranges by {done.tries[0].way}")
    for test, share in done.accuracies.items():
        typer.echo(f"  {test}: {share:.2%} (was {done.before[test]:.2%})")


def verify(
    model: Annotated[Path, typer.Argument(help="A model file.", show_default=False)],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A model file or checkpoint that it must do as well as.", show_default="its card"
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Put a model file through the gates of `digitd export`, and print them as a table.

    \b
    Examples:
      digitd verify digits.onnx
      digitd verify digits.int8.onnx --against digits.onnx
      digitd verify digits.onnx --against runs/mnist/best.pt

    \b
    Exit codes: 0 all gates passed, 1 one failed, 2 usage, 78 no model file.
    """
    try:
        from export.gates import table
        from export.samples import refuse_empty
        from export.verify import verify as gates_of
    except ModuleNotFoundError as error:
        raise _without(error) from None
    refuse_empty(data_dir)
    gates = gates_of(model, against, data_dir)
    typer.echo(table(gates))
    if not any(gate.name.startswith("right, ") for gate in gates):
        typer.echo("How well it reads was not measured: name MNIST's folder with --data-dir, or a file with --against.")
    if not all(gate.passed for gate in gates):
        raise typer.Exit(1)


def _without(error: ModuleNotFoundError) -> ConfigError:
    return ConfigError(f"export needs {error.name}: pip install 'digitd[training]'")
