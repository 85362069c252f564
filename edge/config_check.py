"""What is allowed in digitd.toml and yet likely to disappoint."""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Hashable, Iterator
from pathlib import Path

from edge.config import Config, JsonlSink, MqttSink, Secret, WebhookSink

CREDENTIAL_STORES = tuple(Path(top, "credstore") for top in ("/etc", "/run", "/usr/lib"))
"""where systemd looks for what the unit names in LoadCredential= (systemd.exec(5))"""

_USERINFO = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return _USERINFO.sub(r"\1:***@", url)


def warnings(config: Config) -> Iterator[str]:
    """One line each: key, what, and the mend."""
    if not config.sinks:
        yield "sinks: none, so readings go nowhere; add [sinks.NAME] with a type"
    models = config.model
    for key, file in (("digits", models.digits), ("rows", models.rows), ("tuned", models.tuned)):
        yield from _missing(f"model.{key}", file)
    yield from _not_had(models.provider)
    for name, camera in config.cameras.items():
        key = f"cameras.{name}"
        if without_password(camera.source) != camera.source:
            yield f"{key}.source: holds a password, which whoever reads this file sees; use user and password"
        if camera.password is not None:
            yield from _of_secret(f"{key}.password", camera.password)
            if camera.user is None:
                yield f"{key}.password: is of no use without user"
        if not re.fullmatch(r"\d+|/dev/.*|\w+://.*", camera.source):
            yield from _missing(f"{key}.source", Path(camera.source))
    yield from _twice({f"cameras.{name}.source": camera.source for name, camera in config.cameras.items()})
    for name, sink in config.sinks.items():
        key = f"sinks.{name}"
        match sink:
            case MqttSink():
                yield from _missing(f"{key}.ca", sink.ca)
                if sink.password is not None:
                    yield from _of_secret(f"{key}.password", sink.password)
                    if not sink.tls:
                        yield f"{key}.password: goes over the network as it is; set tls = true"
            case WebhookSink():
                yield from _missing(f"{key}.ca", sink.ca)
                if sink.secret is not None:
                    yield from _of_secret(f"{key}.secret", sink.secret)
    sinks = config.sinks.items()
    yield from _twice({f"sinks.{name}.path": sink.path for name, sink in sinks if isinstance(sink, JsonlSink)})
    brokers = {name: sink for name, sink in sinks if isinstance(sink, MqttSink)}
    yield from _twice({f"sinks.{name}.client_id": (sink.client_id, sink.host) for name, sink in brokers.items()})


def _not_had(provider: str) -> Iterator[str]:
    if provider not in ("auto", "cpu"):
        from edge.providers import missing  # with ONNX Runtime, which nothing else here wants

        if why := missing(provider):
            yield f"model.provider: {provider} cannot be had here, by this user: {why}"


def _of_secret(key: str, secret: Secret) -> Iterator[str]:
    if secret.file is not None:
        yield from _missing(key, secret.file)
        try:
            mode = secret.file.stat().st_mode
        except (OSError, ValueError):
            return
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            yield f"{key}: others may read {secret.file}; chmod 600 it"
    elif secret.credential is not None and not _is_stored(secret.credential):
        stored = CREDENTIAL_STORES[0] / f"digitd.{secret.credential}"
        yield f"{key}: no credential {secret.credential}; put it into {stored}, and see docs/service.md for other names"


def _is_stored(name: str) -> bool:
    """Whether the service would have that credential; True as well where this user may not know."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(given, name)] if given else [store / f"digitd.{name}" for store in CREDENTIAL_STORES]
    try:
        return any(place.exists() for place in places)
    except (OSError, ValueError):
        return True


def _missing(key: str, file: Path | None) -> Iterator[str]:
    try:
        if file is not None and not file.exists():
            yield f"{key}: {file} is not there"
    except (OSError, ValueError):
        yield f"{key}: {file} cannot be looked at by this user"


def _twice(values: dict[str, Hashable]) -> Iterator[str]:
    keys = defaultdict(list)
    for key, value in values.items():
        keys[value].append(key)
    for first, *others in keys.values():
        for other in others:
            yield f"{other}: is that of {first}, too; they will be in each other's way"
