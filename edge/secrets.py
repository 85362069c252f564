"""Secrets from files, as systemd hands them out (systemd.io/CREDENTIALS); never from digitd.toml itself."""

import os
import stat
from pathlib import Path

from edge.config import Secret
from edge.errors import ConfigError

MAX_BYTES = 65_535  # the longest password that MQTT can carry


def read_secret(secret: Secret, what: str) -> str:
    """The text of the file behind `secret`, without one newline at its end. what: its name in digitd.toml, for errors.

    Raises ConfigError, which never holds what the file does.
    """
    path = _credential(secret.credential, what) if secret.credential is not None else secret.file
    assert path is not None
    try:
        data = _bytes(path)
    except FileNotFoundError:
        raise ConfigError(f"{what}: {path} does not exist; {_mend(secret)}") from None
    except OSError as error:
        raise ConfigError(f"{what}: {path} cannot be read ({error.strerror}); mend its permissions") from None
    except ValueError:
        raise ConfigError(f"{what}: {path} is no file; name a file that holds the secret alone") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{what}: {path} is longer than {MAX_BYTES} bytes; name a file that holds the secret alone")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{what}: {path} is not UTF-8 text; save it as that") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError(f"{what}: {path} is empty; write the secret into it")
    if "\n" in text or "\0" in text:
        raise ConfigError(f"{what}: {path} has more than one line; write the secret alone into it")
    return text


def _credential(name: str, what: str) -> Path:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ConfigError(f'{what}: credential = "..." takes a name without folders; for a path there is file = "..."')
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            f"{what}: there is no $CREDENTIALS_DIRECTORY to find credential {name!r} in; "
            f'run under systemd with LoadCredential={name}:/its/file, or use file = "/its/file"'
        )
    return Path(folder, name)


def _mend(secret: Secret) -> str:
    if secret.credential is not None:
        return f"put it into /etc/credstore/digitd.{secret.credential}, or add a LoadCredential= for it"
    return "create it, readable by digitd alone"


def _bytes(path: Path) -> bytes:
    # A pipe that nobody writes to would be waited for at being opened.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError
        with os.fdopen(file, "rb", closefd=False) as stream:
            return stream.read(MAX_BYTES + 1)
    finally:
        os.close(file)
