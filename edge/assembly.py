"""What the daemon is made of, as its configuration wants it."""

import logging
import os
from collections.abc import Collection
from pathlib import Path

import cv2

from edge.arrays import u8
from edge.config import Config
from edge.engine import EngineConfig
from edge.errors import ConfigError, DigitdError, ModelError
from edge.kept import Kept
from edge.model_files import Chosen, ModelFiles
from edge.outbox import Outbox
from edge.reader import Reader
from edge.sinks import Sink, open_sink
from edge.text import printable
from edge.watch import ALTERNATIVES

log = logging.getLogger(__name__)

_SAMPLE = Path(__file__).parent / "samples" / "four-digits.png"


def state_directory(config: Config) -> Path:
    """Where the outbox and kept pictures lie. Raises ConfigError where it cannot be made."""
    systemd = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    home = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    folder = config.state_directory or (Path(systemd) if systemd else Path(home) / "digitd")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror}); set state_directory") from None
    return folder


def model_files(config: Config) -> Chosen:
    """Those that are named there, else those in use. Raises ModelError."""
    wanted = config.model
    return ModelFiles(wanted.digits, wanted.rows, wanted.tuned, wanted.tuned_above).chosen()


def warm_reader(config: Config, files: Chosen) -> Reader:
    """A reader that has read once, so that the first frame is not the slow one. Raises ModelError, ProviderError."""
    wanted = config.model
    cv2.setNumThreads(wanted.threads)
    reader = files.reader(EngineConfig(wanted.provider, wanted.threads))
    log.info("reads with %s: digits %s, rows %s", reader.name, files.digits or "as shipped", files.rows or "as shipped")
    recogniser = reader.recogniser
    log.info("runs on %s%s", recogniser.providers[0], f": {recogniser.note}" if recogniser.note else "")
    sample = cv2.imread(str(_SAMPLE))
    if sample is not None:
        try:
            reader.read(u8(sample), ALTERNATIVES)
        except Exception as fault:  # a file may open and still not run; nothing is read with it then
            raise ModelError(
                f"{reader.name}: reads no picture ({type(fault).__name__}: {printable(str(fault))}); name another file"
            ) from fault
    return reader


def open_outbox(config: Config, folder: Path) -> Outbox:
    """folder: the state directory. Raises OutboxError, ConfigError."""
    wanted = config.outbox
    return Outbox(wanted.path or folder / "outbox.db", wanted.max_days, wanted.max_megabytes)


def changed_sinks(old: Config | None, new: Config) -> list[str]:
    """The sinks to open anew; MQTT's tell the broker of all cameras."""
    if old is None:
        return list(new.sinks)
    announced = _fields(old) != _fields(new)
    return [
        name for name, sink in new.sinks.items() if old.sinks.get(name) != sink or (sink.type == "mqtt" and announced)
    ]


def open_sinks(config: Config, names: Collection[str]) -> dict[str, Sink]:
    """Raises ConfigError; then none of them stays open."""
    opened: dict[str, Sink] = {}
    try:
        for name in names:
            opened[name] = open_sink(name, config.sinks[name], _fields(config))
    except DigitdError:
        for sink in opened.values():
            sink.close()
        raise
    return opened


def open_kept(config: Config, folder: Path) -> Kept | None:
    """folder: the state directory. None where no pictures are to be kept."""
    wanted = config.retention
    return Kept(wanted.folder or folder / "kept", wanted.days, wanted.megabytes) if wanted.enabled else None


def _fields(config: Config) -> dict[str, list[str]]:
    """The cameras' names, with those of their fields."""
    return {name: list(camera.fields) for name, camera in config.cameras.items()}
