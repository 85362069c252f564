"""`digitd` on the command line. Each command's module is imported when that command runs, so that help is
quick.
"""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edge import cli_config, cli_model, cli_service
from edge.errors import ConfigError, DigitdError, UsageError

GROUP = "digitd.commands"

app = typer.Typer(
    name="digitd",
    help="Reads rows of digits, handwritten first, from pictures and films.",
    epilog="Example: digitd read scans/ --format csv --out readings.csv",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich costs 0.15 s
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="FILE", help="Model file of single digits. Default: see `digitd model list`."),
]
RowModel = Annotated[
    Path | None,
    typer.Option("--row-model", metavar="FILE", help="Model file of whole rows, likewise."),
]
TunedModel = Annotated[
    Path | None,
    typer.Option("--tuned", metavar="FILE", help="Model fine-tuned from --model; its answers are taken where sure."),
]
TunedAbove = Annotated[
    float,
    typer.Option(metavar="SHARE", min=0.0, max=1.0, help="How sure, 0 to 1."),
]
Provider = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What ONNX Runtime runs on: cpu, cuda, tensorrt or another that it has; auto: CUDA where it can be had.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Cores to keep busy; all that this process may use by default."),
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"digitd {version('digitd')}")
        raise typer.Exit


@app.callback()
def digitd(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Pictures, films, folders, quoted patterns as 'scans/*.png', or - for a picture piped in.",
        ),
    ],
    format: Annotated[
        Literal["table", "jsonl", "csv"],
        typer.Option("--format", "-f", help="How results are written: for the eye, or one JSON object a picture."),
    ] = "table",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write results there, as they come.")
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a copy of each picture there, with what was read drawn on it."),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Take folders' folders too.")] = False,
    every: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="Of films, take a frame every so often; 0 for all."),
    ] = 1.0,
    min_confidence: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0.0, max=1.0, help="Leave out rows less sure than this, 0 to 1."),
    ] = 0.0,
    model: Model = None,
    row_model: RowModel = None,
    tuned: TunedModel = None,
    tuned_above: TunedAbove = 0.9,
    provider: Provider = "auto",
    threads: Threads = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Read the rows of digits in pictures.

    Results come in the order of the inputs, a picture's rows from top to bottom, each with the
    probability that all of it is right. An unreadable digit is ?. What cannot be read is named on
    standard error and in the results, and the rest is still read.

    \b
    Examples:
      digitd read meter.jpg
      digitd read scans/ --recursive --format csv --out readings.csv
      digitd read 'scans/*.png' film.mp4 --every 2 --format jsonl
      digitd read photo.jpg --annotate looked-at/
      digitd read cheques/ --min-confidence 0.95
      cat photo.jpg | digitd read -

    \b
    Exit codes: 0 all read, 1 some inputs failed, 2 usage, 78 bad model file or provider.
    """
    from edge.commands import read as command
    from edge.engine import EngineConfig
    from edge.model_files import ModelFiles

    request = command.Request(paths, format, out, annotate, recursive, every, min_confidence, quiet)
    files = ModelFiles(model, row_model, tuned, tuned_above)
    raise typer.Exit(command.run(request, files, EngineConfig(provider, threads)))


@app.command()
def live(
    source: Annotated[
        str,
        typer.Option(
            "--source", "-s", metavar="SOURCE", help="Camera 0, 1 or /dev/video0, rtsp:// or http:// URL, film, folder."
        ),
    ] = "0",
    window: Annotated[bool, typer.Option("--window/--no-window", help="Show what is read, or only print it.")] = True,
    format: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", "-f", help="How readings are printed.")
    ] = "text",
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the frames there, an .mkv, to be read again by --source FILE."),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Ask the camera for this size.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.1, max=1000, help="Ask it for so many frames a second.")] = None,
    pixels: Annotated[Literal["MJPG", "YUYV"] | None, typer.Option(help="Ask it for this format.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin a film again at its end.")] = False,
    model: Model = None,
    row_model: RowModel = None,
    tuned: TunedModel = None,
    tuned_above: TunedAbove = 0.9,
    provider: Provider = "auto",
    threads: Threads = None,
) -> None:
    """Read rows from a camera, stream or film while you watch.

    A row is printed once when it has been read the same for some frames, and again when it
    changes. In the window: space pauses, s saves the picture, q or Esc ends.

    \b
    Examples:
      digitd live
      digitd live --source /dev/video2 --size 1920x1080 --pixels MJPG
      digitd live --source rtsp://camera.local/stream --no-window
      digitd live --record desk.mkv
      digitd live --source desk.mkv --no-window --format jsonl

    \b
    Exit codes: 0 ended by you or with the film, 1 the source gives no pictures, 2 usage, 78 bad model file or provider.
    """
    from edge.commands import live as command
    from edge.engine import EngineConfig
    from edge.model_files import ModelFiles

    request = command.Request(source, window, format, record, size, rate, pixels, loop)
    files = ModelFiles(model, row_model, tuned, tuned_above)
    raise typer.Exit(command.run(request, files, EngineConfig(provider, threads)))


@app.command()
def run(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="Default: digitd.toml here, else /etc/digitd/digitd.toml."),
    ] = None,
) -> None:
    """Read cameras for good, and hand readings on: the daemon.

    What it reads and where readings go stands in digitd.toml; `digitd config` checks it. A reading is
    on the disk before anybody is told of it. SIGHUP has the file read again, SIGTERM ends.

    \b
    Examples:
      digitd run
      digitd run --config /etc/digitd/digitd.toml
      sudo digitd service install

    \b
    Exit codes: 0 ended by a signal, 78 bad digitd.toml, model file or provider.
    """
    from edge.commands import run as command

    raise typer.Exit(command.run(config))


@app.command()
def doctor(
    model: Model = None,
    row_model: RowModel = None,
    provider: Provider = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Examine this machine: versions, model, provider, cameras, OpenCV; and say what to do about each
    problem.

    \b
    Examples:
      digitd doctor
      digitd doctor --provider cuda
      digitd doctor --json

    \b
    Exit codes: 0 digitd can read here, 78 it cannot.
    """
    from edge.commands import doctor as command

    raise typer.Exit(command.run(model, row_model, provider, as_json))


@app.command()
def bench(
    choose: Annotated[
        bool, typer.Option("--choose", help="Read digits with int8 or float32 from now on, whichever is quicker here.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --choose: of promoted models, as `digitd model` has it.")
    ] = None,
    model: Model = None,
    row_model: RowModel = None,
    provider: Provider = "auto",
    threads: Threads = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long to measure, in all.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast digitd is on this machine: frames and digits a second, and how long each takes.

    Frames are the bundled photograph, decoded already, one after another.

    int8 is quicker on some processors and slower on others. --choose measures both shipped files of
    single digits in turns, with one thread unless told otherwise, and puts the quicker one to use where
    the difference is sure and over 5 %. A model of your own that you promoted stays in use.

    \b
    Examples:
      digitd bench
      digitd bench --provider cpu --threads 1 --seconds 20 --json
      digitd bench --choose
      sudo digitd bench --choose --folder /var/lib/digitd/models

    \b
    Exit codes: 0 measured, 2 usage, 78 bad model file or provider, or the choice cannot be kept.
    """
    from edge.commands import bench as command
    from edge.engine import EngineConfig
    from edge.model_files import ModelFiles

    files, threads = ModelFiles(model, row_model), threads or (1 if choose else None)
    engine = EngineConfig(provider, threads, spinning=True)
    if folder is not None and not choose:
        raise UsageError("--folder: goes with --choose; what is measured is named by --model")
    if choose:
        raise typer.Exit(command.run_choice(files, folder, engine, seconds, as_json))
    raise typer.Exit(command.run(files, engine, seconds, as_json))


app.add_typer(cli_model.app)
app.add_typer(cli_config.app)
app.add_typer(cli_service.app)

BUILT_IN = ("read", "live", "run", "bench", "doctor", "model", "config", "service")


def main() -> None:
    """The console script. Errors a user can mend are one line; so are our own faults, without
    DIGITD_DEBUG=1.
    """
    from edge.commands.console import DEBUG, REPORT_HINT, complain, speak_utf8

    speak_utf8()
    try:
        if sys.argv[1:2] not in [[name] for name in BUILT_IN]:
            add_commands_of_other_packages()
        app(prog_name="digitd")
    except DigitdError as error:
        for line in str(error).split("\n"):  # one for each fault of a configuration
            complain(line)
        sys.exit(error.exit_code)
    except Exception as fault:
        if DEBUG:
            raise
        complain(f"unexpected {type(fault).__name__} ({fault}); {REPORT_HINT}")
        sys.exit(1)


def add_commands_of_other_packages() -> None:
    """Adds what installed packages name in their entry points: a function of Typer's kind, or a Typer app."""
    for name, target in sorted(set(entry_points())):
        if name in BUILT_IN:
            continue
        module, _, attribute = target.partition(":")
        try:
            command: Any = getattr(import_module(module), attribute)
        except Exception as error:  # one package's fault must not take the others' commands away
            command = _broken(name, module, error)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


def entry_points() -> Iterator[tuple[str, str]]:
    """(name, "module:attribute") of each entry point in the group, from the installed packages' files.

    `importlib.metadata` would say the same, and takes a quarter of the time that help may take to be
    imported.
    """
    seen: set[str] = set()
    for folder in sys.path:
        try:
            packages = sorted(path for path in Path(folder).iterdir() if path.suffix in (".dist-info", ".egg-info"))
        except OSError:
            continue
        for package in packages:
            if package.name in seen:
                continue
            try:
                text = (package / "entry_points.txt").read_text(encoding="utf-8")
            except (OSError, UnicodeError):
                continue
            seen.add(package.name)
            section = re.search(rf"^\[{re.escape(GROUP)}\]\s*$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
            if section:
                yield from re.findall(r"^\s*([\w.-]+)\s*=\s*([\w.]+:\w+)", section[1], re.MULTILINE)


def _broken(name: str, module: str, error: Exception) -> Any:
    def command() -> None:
        raise ConfigError(
            f"{name}: its package does not load ({type(error).__name__}: {error}); "
            f"reinstall the package that holds {module}"
        )

    command.__doc__ = f"(does not load: {type(error).__name__})"
    return command
