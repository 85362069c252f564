"""Secrets come from files, and errors about them never say what is in there."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.config import Secret
from edge.errors import ConfigError
from edge.secrets import MAX_BYTES, read_secret

WHAT = "sinks.house.password"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("s3cret", "s3cret"),
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        (" ä b ", " ä b "),
        ("x" * 4096, "x" * 4096),
    ],
)
def test_a_secret_is_the_files_text_without_one_newline(tmp_path: Path, content: str, secret: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content.encode())
    assert read_secret(Secret(file=path), WHAT) == secret


def test_a_credential_is_found_where_systemd_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker.password").write_text("s3cret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(Secret(credential="broker.password"), WHAT) == "s3cret"


@pytest.mark.parametrize("name", ["../password", "/etc/shadow", "..", ".", "a/b"])
def test_a_credentials_name_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "password").write_text("s3cret")
    (tmp_path / "credentials").mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    with pytest.raises(ConfigError, match="takes a name without folders"):
        read_secret(Secret(credential=name), WHAT)


def test_a_credentials_name_holds_no_nul() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        Secret(credential="a\0b")


def test_without_systemd_a_credential_is_told_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match=r"no \$CREDENTIALS_DIRECTORY .* LoadCredential=broker:/its/file"):
        read_secret(Secret(credential="broker"), WHAT)


def test_a_credential_that_the_service_does_not_load_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match=r"does not exist; put it into /etc/credstore/digitd\.broker"):
        read_secret(Secret(credential="broker"), WHAT)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"s3cret\xff", "is not UTF-8"),
        (b"s3cret\nmore\n", "more than one line"),
        (b"s3cret\0", "more than one line"),
        (b"s3cret" * MAX_BYTES, f"longer than {MAX_BYTES} bytes"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_showing_it(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as refused:
        read_secret(Secret(file=path), WHAT)
    assert refused.value.exit_code == 78
    assert str(refused.value).startswith(f"{WHAT}: {path} ") and "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None and "\n" not in str(refused.value)


def test_a_missing_file_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, says in [("missing", "does not exist; create it"), (".", "is no file"), ("pipe", "is no file")]:
        with pytest.raises(ConfigError, match=says):
            read_secret(Secret(file=tmp_path / name), WHAT)
