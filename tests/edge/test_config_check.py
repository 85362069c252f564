"""What is allowed in a digitd.toml and likely to disappoint is warned of."""

import tomllib
from pathlib import Path

import pytest

from edge.config import Config
from edge.config_check import warnings
from tests.edge.configs import camera


def warned(text: str) -> list[str]:
    return list(warnings(Config.model_validate(tomllib.loads(text))))


def test_check_warns_of_a_secret_that_others_may_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o640)
    text = f'[sinks.a]\ntype = "webhook"\nurl = "http://a"\nsecret = {{file = "{secret}"}}'
    assert warned(camera(text)) == [f"sinks.a.secret: others may read {secret}; chmod 600 it"]
    secret.chmod(0o600)
    assert warned(camera(text)) == []
    secret.unlink()
    assert warned(camera(text)) == [f"sinks.a.secret: {secret} is not there"]


def test_check_warns_of_a_credential_that_was_not_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[sinks.a]\ntype = "mqtt"\nhost = "a"\ntls = true\npassword = {credential = "mqtt-password"}'
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (warning,) = warned(camera(text))
    assert warning.startswith(
        "sinks.a.password: no credential mqtt-password; put it into /etc/credstore/digitd.mqtt-pass"
    )
    (tmp_path / "mqtt-password").touch()
    assert warned(camera(text)) == []


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("", "sinks", "none, so readings go nowhere"),
        (
            "[cameras.b]\nsource='0'\n[sinks.a]\ntype='stdout'",
            "cameras.b.source",
            "is that of cameras.desk.source, too",
        ),
        ("[cameras.b]\nsource='/absent/film.avi'\n[sinks.a]\ntype='stdout'", "cameras.b.source", "is not there"),
        ("[model]\nprovider='tpu'\n[sinks.a]\ntype='stdout'", "model.provider", "tpu cannot be had here"),
        ("[model]\nrows='/absent.onnx'\n[sinks.a]\ntype='stdout'", "model.rows", "/absent.onnx is not there"),
        (
            "[sinks.a]\ntype='mqtt'\nhost='h'\n[sinks.b]\ntype='mqtt'\nhost='h'",
            "sinks.b.client_id",
            "too; they will be",
        ),
        ("[sinks.a]\ntype='mqtt'\nhost='h'\npassword={file='/etc/hostname'}", "sinks.a.password", "set tls = true"),
    ],
)
def test_check_warns_of_what_is_allowed_and_disappoints(text: str, key: str, what: str) -> None:
    assert any(warning.startswith(f"{key}: ") and what in warning for warning in warned(camera(text)))
