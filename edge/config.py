"""digitd.toml: what the daemon reads, from where, and where readings go."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Of a camera, a field, a sink: also a level of an MQTT topic and part of a file's name."""

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Point = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Part):
    """Where a secret is read from: one of the two. Secrets themselves do not stand in digitd.toml."""

    credential: str | None = None
    """a file in systemd's $CREDENTIALS_DIRECTORY, by its name"""
    file: Path | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.credential is None) == (self.file is None):
            raise ValueError('either credential = "name" or file = "path" is wanted')
        return self


class ModelConfig(_Part):
    digits: Path | None = None
    """model file of single digits; None: the one that comes with digitd"""
    rows: Path | None = None
    """model file of whole rows, likewise"""
    provider: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] = 1


class ViewConfig(_Part):
    """What of a camera's picture is looked at. All in pixels of a picture of `size`."""

    size: tuple[int, int]
    """width and height of the picture in which the numbers below were measured; other pictures of the same shape are
    taken as well"""
    region: tuple[int, int, int, int] | None = None
    """x, y, width, height"""
    corners: tuple[Point, Point, Point, Point] | None = None
    """of a rectangle seen at an angle, clockwise from its top left; it is looked at as if from the front"""

    @model_validator(mode="after")
    def _has_an_area(self) -> Self:
        if (self.region is None) == (self.corners is None):
            raise ValueError("either region = [x, y, width, height] or corners = four points are wanted")
        return self


class StabiliserConfig(_Part):
    agree: Annotated[int, Field(ge=1, le=1000)] = 3
    """frames that have to read the same"""
    confidence: Share = 0.995
    """of the fused reading, from which on fewer frames will do"""
    gone_after: Seconds = 1.5
    """without the row"""


class FieldConfig(_Part):
    """What a row has to be like. Without `region` the row with most digits is meant."""

    region: tuple[int, int, int, int] | None = None
    """x, y, width, height, in pixels of what is looked at, in which the row's middle lies"""
    length: Annotated[int, Field(ge=1, le=64)] | None = None
    pattern: str | None = None
    """regular expression for all of the text"""
    minimum: float | None = None
    maximum: float | None = None
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
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is no regular expression ({error})") from None
        return self


class CameraConfig(_Part):
    source: str
    """0 or /dev/video0 or /dev/v4l/by-id/..., rtsp://..., http://..., a film, or a folder that pictures come into"""
    size: tuple[int, int] | None = None
    rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    """frames a second that the camera is asked for"""
    format: Literal["MJPG", "YUYV"] | None = None
    exposure: float | Literal["auto"] | None = None
    focus: float | Literal["auto"] | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    user: str | None = None
    password: Secret | None = None
    open_timeout: Seconds = 5.0
    read_timeout: Seconds = 5.0
    look_rate: Annotated[float, Field(gt=0, le=1000)] = 10.0
    """frames a second that are read at most"""
    loop: bool = False
    """a film begins again at its end"""
    min_confidence: Share = 0.8
    """of a reading, below which its status is `uncertain`"""
    view: ViewConfig | None = None
    stabiliser: StabiliserConfig = StabiliserConfig()
    fields: dict[Name, FieldConfig] = {}
    """with any, only their rows are reported"""


class StdoutSink(_Part):
    type: Literal["stdout"]
    format: Literal["text", "jsonl"] = "text"


class JsonlSink(_Part):
    type: Literal["jsonl"]
    path: Path
    max_megabytes: Annotated[float, Field(gt=0)] = 50.0
    """of one file; then it is renamed to FILE.1, that to FILE.2 and so on"""
    keep: Annotated[int, Field(ge=0, le=1000)] = 5
    """renamed files"""


class MqttSink(_Part):
    type: Literal["mqtt"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: 8883 with TLS, 1883 without"""
    tls: bool = False
    ca: Path | None = None
    """certificates that the broker's is signed by; None: the system's"""
    user: str | None = None
    password: Secret | None = None
    client_id: str = "digitd"
    prefix: Annotated[str, Field(pattern=r"^[^#+\x00/]+(/[^#+\x00/]+)*$")] = "digitd"
    keepalive: Annotated[int, Field(ge=5, le=3600)] = 30
    discovery: str | None = "homeassistant"
    """prefix of Home Assistant's discovery topics; "" for none"""


class WebhookSink(_Part):
    type: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://")]
    secret: Secret | None = None
    """key of the body's HMAC-SHA256"""
    ca: Path | None = None
    timeout: Seconds = 10.0


SinkConfig = Annotated[StdoutSink | JsonlSink | MqttSink | WebhookSink, Field(discriminator="type")]


class OutboxConfig(_Part):
    path: Path | None = None
    """None: outbox.db in the state directory"""
    max_days: Annotated[float, Field(gt=0)] = 30.0
    max_megabytes: Annotated[float, Field(gt=0)] = 200.0


class RetentionConfig(_Part):
    """Pictures of uncertain and implausible readings, kept for being labelled later."""

    enabled: bool = True
    folder: Path | None = None
    """None: kept/ in the state directory"""
    days: Annotated[float, Field(gt=0)] = 30.0
    megabytes: Annotated[float, Field(gt=0)] = 500.0


class Config(_Part):
    """All of digitd.toml."""

    model: ModelConfig = ModelConfig()
    cameras: dict[Name, CameraConfig]
    sinks: dict[Name, SinkConfig] = {}
    outbox: OutboxConfig = OutboxConfig()
    retention: RetentionConfig = RetentionConfig()
    state_directory: Path | None = None
    """None: systemd's $STATE_DIRECTORY, else ~/.local/state/digitd"""
