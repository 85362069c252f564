"""`digitd train` and `digitd evaluate`. Light to import: torch and the rest load when a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigError

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with MNIST's idx files; else $DIGITD_DATA, else they are downloaded to the user's cache.",
        show_default=False,
    ),
]


def train(
    recipe: Annotated[Path, typer.Argument(help="The recipe, such as configs/recipes/mnist.toml.", show_default=False)],
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.", show_default="runs/NAME")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.", show_default=False)] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of the same kind whose weights to begin with.", show_default=False),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU.", show_default="all")] = None,
) -> None:
    """Train a model by a recipe: checkpoints, a history plot and metrics.

    Example: digitd train configs/recipes/mnist.toml --data-dir ~/mnist
    """
    with _training_extra():
        from training import engine, row_engine
        from training.recipe import RowRecipe, load
    chosen = load(recipe)
    changes = {key: value for key, value in (("epochs", epochs), ("seed", seed)) if value is not None}
    chosen = chosen.model_copy(update=changes)
    folder = out or Path("runs") / chosen.name
    if isinstance(chosen, RowRecipe):
        best = row_engine.train(chosen, data_dir, folder, threads, start)
    else:
        best = engine.train(chosen, data_dir, folder, threads, start)
    typer.echo(f"best epoch {best.epoch}, validation loss {best.validation_loss:.4f}: {folder / 'best.pt'}")


def evaluate(
    model: Annotated[
        Path | None,
        typer.Argument(help="An ONNX file, or a checkpoint (.pt).", show_default="the shipped model"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Accuracy on MNIST's test set, by the code that runs on the box.

    Example: digitd evaluate --data-dir ~/mnist
    """
    if model is not None and model.suffix == ".pt":
        with _training_extra():
            import torch as _  # noqa: F401
    from training.evaluate import evaluate_mnist

    typer.echo(evaluate_mnist(model, data_dir).table())


class _training_extra:
    """Turns a missing library of the `training` extra into one line with the mend."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModuleNotFoundError):
            raise ConfigError(f"training needs {error.name}: pip install 'digitd[training]'") from None
