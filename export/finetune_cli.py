"""`digitd finetune`. Light to import: torch and the rest load when it runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigError, UsageError


def finetune(
    folder: Annotated[Path, typer.Argument(help="Your pictures: a folder a label, and rows.", show_default=False)],
    init: Annotated[bool, typer.Option("--init", help="Only make the folders, and say what to put in.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The model file to write.", show_default="FOLDER.onnx beside it")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="What is taught: a model file or checkpoint.", show_default="the shipped model"),
    ] = None,
    sheet: Annotated[bool, typer.Option("--sheet", help="Only draw what was found, to look at before.")] = False,
    new_labels: Annotated[bool, typer.Option("--new-labels", help="Teach labels that the base has not, too.")] = False,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of the examples to judge by; 0 learns from all.")
    ] = 0.2,
    trunk: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the last layer's rate that the others learn at; 0 keeps them."),
    ] = 0.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most.", show_default="6")] = None,
    seed: Annotated[int, typer.Option(help="Of chance.")] = 1,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with MNIST's idx files, not to forget by; else $DIGITD_DATA, else drawn digits.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU.", show_default="all")] = None,
) -> None:
    """Teach a model your own hand, from some dozen pictures, in minutes.

    \b
    Example:
      digitd finetune mine --init
      digitd finetune mine
      digitd model promote mine.onnx
    """
    try:
        from dataclasses import replace

        from tqdm import tqdm

        from edge.recogniser import Recogniser, default_model
        from export import finetune as teaching
        from export.samples import refuse_empty
        from export.writing import refuse_unwritable
        from training.engine import Run
        from training.finetune import Settings
        from training.own_pictures import init as make_folders
        from training.own_pictures import read_folder, save_sheet
    except ModuleNotFoundError as error:
        raise ConfigError(f"fine-tuning needs {error.name}: pip install 'digitd[training]'") from None
    if init and sheet:
        raise UsageError("--init and --sheet: one at a time")
    out = out or folder.absolute().with_name(f"{folder.absolute().name}.onnx")
    if out.suffix != ".onnx":
        raise UsageError(f"--out: {out} does not end in .onnx")
    if out.resolve() == (base or default_model()).resolve():
        raise UsageError(f"--out: {out} is the base; name another file, and promote it when it is better")
    beginning = teaching.base_of(base)
    if init:
        make_folders(folder, [label for label in beginning.labels if label != "reject"])
        typer.echo(
            f"{folder / 'README.txt'} says what to put into the folders beside it; then: digitd finetune {folder}"
        )
        return
    if beginning.recipe.episodes is not None and (trunk or epochs):
        raise UsageError("--trunk and --epochs: a base that learns from few examples does so at once; leave them out")
    refuse_empty(data_dir)
    refuse_unwritable(out)
    with tqdm(desc="looking at pictures", unit="picture", dynamic_ncols=True, leave=False, disable=None) as bar:

        def seen(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = read_folder(folder, Recogniser(), beginning.labels, new_labels, seen)
    for problem in found.problems:
        print(f"digitd: {problem}", file=sys.stderr)
    pictured = out.with_suffix(".examples.png")
    save_sheet(found.crops, pictured)
    labels = len(set(found.crops.labels.tolist()))
    typer.echo(f"{len(found.crops)} examples of {labels} labels, to be looked at: {pictured}")
    if sheet:
        return
    settings = replace(Settings(seed=seed, trunk=trunk), **({"epochs": epochs} if epochs else {}))
    taught = teaching.teach(
        found.crops, out, beginning, settings, data_dir, held_out, Run(threads=threads), tell=typer.echo
    )
    typer.echo(teaching.table(taught))
    for file in taught.files:
        typer.echo(f"{file.path}: {file.bytes:,} bytes, {file.precision}")
    typer.echo(f"To read with it from now on: digitd model promote {taught.files[0].path}")
