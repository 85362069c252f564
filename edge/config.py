"""digitd.toml: what the daemon reads, from where, and where readings go.

The texts under the keys are their descriptions in `digitd config schema` and docs/config.md.
"""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge.errors import ConfigError
from edge.pattern import bounded
from edge.text import printable

HERE = Path("digitd.toml")
INSTALLED = Path("/etc/digitd/digitd.toml")
MAX_BYTES = 1 << 20
MAX_FAULTS = 20
"""that are told of at once"""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Of a camera, a field, a sink: also a level of an MQTT topic and part of a file's name."""

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]

# Types have to be right: no number in quotes, no `true` for 1. But TOML has neither paths nor tuples.
_LAX = Field(strict=False)
_Offset = Annotated[int, Field(ge=0, le=32_768)]
_Length = Annotated[int, Field(ge=1, le=32_768)]
File = Annotated[Path, _LAX]
Size = Annotated[tuple[_Length, _Length], _LAX]
Region = Annotated[tuple[_Offset, _Offset, _Length, _Length], _LAX]
Point = Annotated[tuple[float, float], _LAX]
Corners = Annotated[tuple[Point, Point, Point, Point], _LAX]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _holds_no_nul(cls, value: object) -> object:
        """No name, path or address may; whoever handed one to the system would get a ValueError."""
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("holds a NUL character; take it out")
        return value


class Secret(_Part):
    """Where a secret is read from: one of the two. Secrets themselves do not stand in digitd.toml."""

    credential: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """a file in systemd's $CREDENTIALS_DIRECTORY, by its name"""
    file: File | None = None
    """a file that holds nothing else"""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.credential is None) == (self.file is None):
            raise ValueError('either credential = "name" or file = "path" is wanted')
        return self


class ModelConfig(_Part):
    """The model files, and what they run on."""

    digits: File | None = None
    """model file of single digits; without it the one that was promoted, else the one that comes with digitd"""
    rows: File | None = None
    """model file of whole rows, likewise"""
    tuned: File | None = None
    """model file fine-tuned from that of single digits, whose answers are taken where it is sure"""
    tuned_above: Share = 0.9
    """how sure: its confidence from which on they are"""
    provider: str = "auto"
    """what ONNX Runtime runs on: cpu, cuda, tensorrt or another that it has; auto takes CUDA where it can be had"""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """of one inference"""


class ViewConfig(_Part):
    """What of a camera's picture is looked at: a region or four corners. All in pixels of a picture of `size`."""

    size: Size
    """width and height of the picture in which the numbers below were measured; other pictures of the same shape are
    taken as well"""
    region: Region | None = None
    """x, y, width, height"""
    corners: Corners | None = None
    """of a rectangle seen at an angle, clockwise from its top left; it is looked at as if from the front"""

    @model_validator(mode="after")
    def _has_an_area(self) -> Self:
        if (self.region is None) == (self.corners is None):
            raise ValueError("either region = [x, y, width, height] or corners = four points are wanted")
        return self


class StabiliserConfig(_Part):
    """When what many frames say becomes one reading."""

    agree: Annotated[int, Field(ge=1, le=1000)] = 3
    """frames that have to read the same"""
    confidence: Share = 0.995
    """of the fused reading, from which on fewer frames will do"""
    gone_after: Seconds = 1.5
    """seconds without the row, after which it has left"""


class FieldConfig(_Part):
    """What a row has to be like. Without `region` the row with most digits is meant."""

    region: Region | None = None
    """x, y, width, height, in pixels of what is looked at, in which the row's middle lies"""
    length: Annotated[int, Field(ge=1, le=64)] | None = None
    """digits"""
    pattern: Annotated[str, Field(max_length=1000)] | None = None
    """regular expression for all of the text"""
    minimum: float | None = None
    """the least number that is plausible"""
    maximum: float | None = None
    """the greatest"""
    rising: bool = False
    """never less than before"""
    max_rate: Annotated[float, Field(gt=0)] | None = None
    """the most that it changes by in an hour"""
    roll_over: bool = False
    """begins at 0 again after 99...9 of `length` digits"""
    confirm: Annotated[int, Field(ge=1, le=1000)] = 5
    """implausible readings, each plausible after the one before, after which the new value is taken"""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.roll_over and self.length is None:
            raise ValueError("roll_over needs length: how many digits roll over")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is above maximum")
        if self.pattern is not None:
            bounded(self.pattern)
        return self


class CameraConfig(_Part):
    """A camera, by a name of small letters, digits, - and _."""

    source: Annotated[str, Field(min_length=1, max_length=4096)]
    """0 or /dev/video0 or /dev/v4l/by-id/..., rtsp://..., http://..., a film, or a folder that pictures come into"""
    size: Size | None = None
    """width and height that the camera is asked for"""
    rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    """frames a second that the camera is asked for"""
    format: Literal["MJPG", "YUYV"] | None = None
    """of the pictures that the camera sends"""
    exposure: float | Literal["auto"] | None = None
    """in the camera's own units"""
    focus: float | Literal["auto"] | None = None
    """in the camera's own units"""
    transport: Literal["tcp", "udp"] = "tcp"
    """of an rtsp:// source"""
    user: str | None = None
    """of a network camera"""
    password: Secret | None = None
    """of a network camera"""
    open_timeout: Seconds = 5.0
    """seconds that opening may take"""
    read_timeout: Seconds = 5.0
    """seconds without a frame, after which the camera is lost"""
    look_rate: Annotated[float, Field(gt=0, le=1000)] = 10.0
    """frames a second that are read at most"""
    loop: bool = False
    """a film begins again at its end"""
    min_confidence: Share = 0.8
    """of a reading, below which its status is `uncertain`"""
    view: ViewConfig | None = None
    """without it the whole picture is looked at"""
    stabiliser: StabiliserConfig = StabiliserConfig()
    """when what many frames say becomes one reading"""
    fields: dict[Name, FieldConfig] = {}
    """with any, only their rows are reported"""


class StdoutSink(_Part):
    """Readings on standard output: in the journal, under systemd."""

    type: Literal["stdout"]
    """stdout"""
    format: Literal["text", "jsonl"] = "text"
    """a line for the eye, or a JSON object a line"""


class JsonlSink(_Part):
    """A file with a JSON object a line."""

    type: Literal["jsonl"]
    """jsonl"""
    path: File
    """of the file"""
    max_megabytes: Annotated[float, Field(gt=0)] = 50.0
    """of one file; then it is renamed to FILE.1, that to FILE.2 and so on"""
    keep: Annotated[int, Field(ge=0, le=1000)] = 5
    """renamed files"""


class MqttSink(_Part):
    """An MQTT broker, with Home Assistant's discovery."""

    type: Literal["mqtt"]
    """mqtt"""
    host: Annotated[str, Field(min_length=1, max_length=255)]
    """the broker's name or address"""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """without it 8883 with TLS, 1883 without"""
    tls: bool = False
    """whether the connection is encrypted"""
    ca: File | None = None
    """certificates that the broker's is signed by; without it the system's"""
    user: str | None = None
    """at the broker"""
    password: Secret | None = None
    """at the broker"""
    client_id: str = "digitd"
    """another one for each digitd at one broker"""
    prefix: Annotated[str, Field(pattern=r"^[^#+\x00/]+(/[^#+\x00/]+)*$")] = "digitd"
    """of all topics"""
    keepalive: Annotated[int, Field(ge=5, le=3600)] = 30
    """seconds"""
    discovery: str | None = "homeassistant"
    """prefix of Home Assistant's discovery topics; "" for none"""


class WebhookSink(_Part):
    """An HTTP server that gets a POST for each event."""

    type: Literal["webhook"]
    """webhook"""
    url: Annotated[str, Field(pattern=r"^https?://", max_length=4096)]
    """where to"""
    secret: Secret | None = None
    """key of the body's HMAC-SHA256"""
    ca: File | None = None
    """certificates that the server's is signed by; without it the system's"""
    timeout: Seconds = 10.0
    """seconds that an answer may take"""

    @field_validator("url")
    @classmethod
    def _names_a_host(cls, url: str) -> str:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:  # asking for the port checks it
            raise ValueError("names no host: https://host/path is wanted")
        return url


SinkConfig = Annotated[StdoutSink | JsonlSink | MqttSink | WebhookSink, Field(discriminator="type")]


class OutboxConfig(_Part):
    """The file in which readings wait for sinks that are away."""

    path: File | None = None
    """without it outbox.db in the state directory"""
    max_days: Annotated[float, Field(gt=0)] = 30.0
    """older readings are dropped, and counted"""
    max_megabytes: Annotated[float, Field(gt=0)] = 200.0
    """beyond them the oldest readings are dropped, and counted"""


class RetentionConfig(_Part):
    """Pictures of uncertain and implausible readings, kept for being labelled later."""

    enabled: bool = True
    """whether any are kept"""
    folder: File | None = None
    """without it kept/ in the state directory"""
    days: Annotated[float, Field(gt=0)] = 30.0
    """older pictures are deleted"""
    megabytes: Annotated[float, Field(gt=0)] = 500.0
    """beyond them the oldest pictures are deleted"""


class Config(_Part):
    """All of digitd.toml."""

    state_directory: File | None = None
    """without it systemd's $STATE_DIRECTORY, else ~/.local/state/digitd"""
    model: ModelConfig = ModelConfig()
    """the model files, and what they run on"""
    cameras: Annotated[dict[Name, CameraConfig], Field(min_length=1)]
    """at least one, each by its name"""
    sinks: dict[Name, SinkConfig] = {}
    """where readings go, each by its name"""
    outbox: OutboxConfig = OutboxConfig()
    """the file in which readings wait for sinks that are away"""
    retention: RetentionConfig = RetentionConfig()
    """pictures of uncertain and implausible readings, kept for being labelled later"""


def find(named: Path | None = None) -> Path:
    """The file to load: the named one, else digitd.toml in the current folder, else /etc/digitd/digitd.toml."""
    if named is not None:
        return named
    return HERE if HERE.is_file() else INSTALLED


def load(path: Path) -> Config:
    """Raises ConfigError, whose message has one line for each fault: file, line, key, what, and the mend."""
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables lie too deep in each other; digitd.toml needs no such") from None
    except ValueError as error:  # tomllib's own, and what int() and datetime say of numbers too large
        raise ConfigError(_syntax(path, str(error))) from None
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        from edge.config_faults import faults

        found = faults(error, document, text, Config.model_json_schema())
        lines = [f"{path}:{fault.line}: {fault.what}" for fault in found[:MAX_FAULTS]]
        if len(found) > MAX_FAULTS:
            lines.append(f"{path}: and {len(found) - MAX_FAULTS} more faults")
        raise ConfigError("\n".join(map(printable, lines))) from None


def _text(path: Path) -> str:
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{path}: is no file; name one with --config")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: is not there; write one, `digitd config default` prints what to begin with"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is no file; name one with --config") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"{path}: cannot be read ({reason}); let the user that runs digitd read it") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than 1 MiB, which no digitd.toml is; name another file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8; save it in that encoding") from None


def _syntax(path: Path, said: str) -> str:
    """What tomllib says, with the line where other tools look for it."""
    found = re.search(r" \(at line (\d+), column (\d+)\)$", said)
    if found is None:
        return f"{path}: {printable(said)}; TOML's rules are at toml.io"
    return f"{path}:{found[1]}: {printable(said[: found.start()])} (column {found[2]}); TOML's rules are at toml.io"
