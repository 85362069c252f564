"""`digitd train` and `digitd evaluate`. Light to import: torch and the rest load when a command runs."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edge.errors import ConfigError, UsageError

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with MNIST's idx files; else $DIGITD_DATA, else they are downloaded to the user's cache.",
        show_default=False,
    ),
]


def train(
    recipe: Annotated[
        str,
        typer.Option(help="A recipe's file, or the name of one that comes with digitd.", show_default=False),
    ],
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.", show_default="runs/NAME")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.", show_default=False)] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint whose weights to begin with, of the same kind; a wider digitcnn is pruned. "
            "Of rows, a model file, too.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run was interrupted.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Pictures to learn from in place of MNIST, a folder a label.", show_default=False),
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="What to compute on.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU.", show_default="all")] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write for TensorBoard, too.")] = False,
) -> None:
    """Train a model by a recipe: checkpoints, a history plot and metrics.

    Example: digitd train --recipe mnist --data-dir ~/mnist

    On two processes, or more machines: torchrun --nproc-per-node 2 --no-python digitd train --recipe mnist
    """
    with _training_extra():
        from training import engine
        from training.digit_task import DigitTask
        from training.fewshot import EpisodeTask
        from training.out_folder import made
        from training.recipe import RowRecipe, find, load
        from training.row_task import RowTask
        from training.task import Task
    chosen = load(find(recipe))
    changes = {"epochs": epochs, "seed": seed, "folder": folder}
    if folder and isinstance(chosen, RowRecipe):
        raise ConfigError(f"--folder is for single digits, and {chosen.name} reads rows")
    chosen = chosen.model_copy(update={key: value for key, value in changes.items() if value is not None})
    out, run = made(out or Path("runs") / chosen.name), engine.Run(threads, resume, device, tensorboard)
    task: Task[Any]
    if isinstance(chosen, RowRecipe):
        task = RowTask(chosen, data_dir, out, start)
    else:
        task = (EpisodeTask if chosen.episodes else DigitTask)(chosen, data_dir, start)
    best = engine.train(task, chosen, out, run)
    typer.echo(f"best epoch {best.epoch}, validation loss {best.validation_loss:.4f}: {out / 'best.pt'}")


def evaluate(
    model: Annotated[
        Path | None,
        typer.Argument(help="An ONNX file, or a checkpoint (.pt).", show_default="the shipped model"),
    ] = None,
    data_dir: DataDir = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a page there, index.html, and its figures as report.json."),
    ] = None,
    adversarial: Annotated[
        bool, typer.Option("--adversarial", help="Attack a checkpoint by changed pixels, FGSM and PGD.")
    ] = False,
    attacked: Annotated[int, typer.Option(metavar="N", min=1, help="Attack the first N digits.")] = 2000,
    folder: Annotated[
        Path | None,
        typer.Option(help="Pictures to ask in place of MNIST's, a folder a label.", show_default=False),
    ] = None,
) -> None:
    """Accuracy on MNIST's test set, or on your own pictures, by the code that runs on the box.

    The page has what is mistaken for what, label by label, the worst mistakes, and whether the model
    is as sure as it is right; of a checkpoint, also where it looked, and its training.

    Example: digitd evaluate runs/mnist/best.pt --report seen/ --adversarial --data-dir ~/mnist
    """
    checkpoint = model is not None and model.suffix == ".pt"
    if adversarial and not checkpoint:
        raise UsageError(
            f"--adversarial needs gradients, which {model or 'the shipped model'} has not; "
            "name a checkpoint, such as runs/mnist/best.pt"
        )
    if checkpoint or report is not None or folder is not None:
        with _training_extra():
            if report is not None:
                from training import report as page
            if checkpoint:
                import torch as _  # noqa: F401
    from training import mnist
    from training.evaluate import evaluate as ask
    from training.evaluate import model_of
    from training.out_folder import made

    asked = model_of(model)
    if report is not None:
        made(report)  # before the work, not after it
    if folder is None:
        digits = mnist.load("test", data_dir)
        found = ask(asked, digits.images, digits.labels, tuple("0123456789"), "MNIST's test set")
    else:
        from training.own_pictures import read_folder

        own = read_folder(folder, labels=asked.labels)
        for problem in own.problems:
            typer.echo(f"digitd: {problem}", err=True)
        found = ask(asked, own.crops.images, own.crops.labels, own.crops.names, str(folder))
    typer.echo(found.table())
    if adversarial and asked.network is not None:
        from training.adversarial import robustness, table

        shares = robustness(asked.network, found.crops[:attacked], found.truth[:attacked])
        typer.echo(f"\n{table(shares)}")
    else:
        shares = ()
    if report is not None:
        history = model.with_name("history.jsonl") if checkpoint and model else None
        typer.echo(f"\n{page.write(report, asked, found, history, shares)}")


class _training_extra:
    """Turns a missing library of the `training` extra into one line with the mend."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModuleNotFoundError):
            raise ConfigError(f"training needs {error.name}: pip install 'digitd[training]'") from None
