"""What stands under which MQTT topic, and what Home Assistant is told of it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from edge.config import SinkConfig
from edge.events import Event, state
from edge.sinks.homeassistant import discovery
from edge.sinks.topics import Message, Picture, Topics

NOW = 1_772_366_400.0
TOPICS = Topics("home/digits", {"cellar": ("water", "gas"), "attic": ()})


def reading(source: str = "attic", field: str | None = None, status: str = "ok", **more: Any) -> Event:
    body = {"field": field, "text": "40718", "raw": "40718", "confidence": 0.99, "status": status, "why": None, **more}
    return Event("01KJSJ5N000000000000000000", "reading", source, NOW, body)


def published(event: Event, before: Picture | None = None) -> dict[str, Any]:
    return {one.topic: (one.payload, one.retain) for one in TOPICS.messages(event, before or Picture())}


FINE = json.dumps({"problem": "OFF", "why": None})


def test_a_reading_is_published_whole_and_its_value_alone() -> None:
    event = reading()
    assert published(event) == {
        "home/digits/attic/reading": (json.dumps(event.to_json()), True),
        "home/digits/attic/value": ("40718", True),
        "home/digits/attic/problem": (FINE, True),
    }


def test_a_fields_reading_stands_under_the_fields_name() -> None:
    assert set(published(reading("cellar", "gas"))) == {
        "home/digits/cellar/gas/reading",
        "home/digits/cellar/gas/value",
        "home/digits/cellar/gas/problem",
    }


@pytest.mark.parametrize("status", ["uncertain", "implausible"])
def test_a_value_that_is_not_to_be_believed_is_not_published_as_one(status: str) -> None:
    assert "home/digits/attic/value" not in published(reading(status=status))


def test_an_implausible_reading_is_a_problem_of_its_field_until_a_plausible_one_or_it_is_gone() -> None:
    bad = reading("cellar", "gas", "implausible", text="", why="less than before")
    payload, _ = published(bad)["home/digits/cellar/gas/problem"]
    assert json.loads(payload) == {"problem": "ON", "why": "less than before"}
    after = Picture().after(bad)
    assert after.problem("gas") == "less than before" and after.problem("water") is None
    gone = Event("01KJSJ5N000000000000000001", "gone", "cellar", NOW, {"reading": bad.id, "field": "gas"})
    assert published(gone, after) == {
        "home/digits/cellar/gas/gone": (json.dumps(gone.to_json()), False),
        "home/digits/cellar/gas/problem": (FINE, True),
    }
    assert after.after(reading("cellar", "gas")).problem("gas") is None


def test_a_cameras_state_is_its_status_and_a_problem_of_all_its_fields() -> None:
    lost = state("cellar", "lost", "no frames for 5 s", NOW)
    trouble = (json.dumps({"problem": "ON", "why": "lost: no frames for 5 s"}), True)
    assert published(lost) == {
        "home/digits/cellar/state": (json.dumps(lost.to_json()), False),
        "home/digits/cellar/status": ("lost", True),
        "home/digits/cellar/water/problem": trouble,
        "home/digits/cellar/gas/problem": trouble,
    }
    back = published(state("cellar", "online", "", NOW), Picture().after(lost))
    assert back["home/digits/cellar/status"] == ("online", True)
    assert back["home/digits/cellar/water/problem"] == (FINE, True)


def test_a_broker_that_forgot_is_told_what_is_known() -> None:
    picture = (
        Picture().after(state("cellar", "online", "", NOW)).after(reading("cellar", "gas", "implausible", why="w"))
    )
    told = {one.topic: one.payload for one in TOPICS.known("cellar", picture)}
    assert told["home/digits/cellar/status"] == "online"
    assert json.loads(told["home/digits/cellar/gas/problem"]) == {"problem": "ON", "why": "w"}
    assert list(TOPICS.known("cellar", Picture())) == []


def test_home_assistant_finds_one_device_a_camera_with_three_entities_a_field() -> None:
    message = discovery("homeassistant", "home/digits", "cellar", TOPICS)
    assert message.topic == "homeassistant/device/home_digits_cellar/config" and message.retain
    found = json.loads(message.payload)
    assert found["device"]["identifiers"] == ["home_digits_cellar"] and found["origin"]["name"] == "digitd"
    parts = found["components"]
    assert set(parts) == {
        f"{field}_{what}" for field in ("water", "gas") for what in ("reading", "confidence", "problem")
    }
    assert {name: part["platform"] for name, part in parts.items()} == {
        name: "binary_sensor" if name.endswith("problem") else "sensor" for name in parts
    }
    assert len({part["unique_id"] for part in parts.values()}) == 6


def test_what_home_assistant_is_told_to_listen_to_is_what_is_published() -> None:
    for camera, field in [("attic", None), ("cellar", "gas")]:
        parts = json.loads(discovery("homeassistant", "home/digits", camera, TOPICS).payload)["components"]
        topics = {value for part in parts.values() for key, value in part.items() if key.endswith("_topic")}
        topics |= {one["topic"] for part in parts.values() for one in part["availability"]}
        heard = set(published(reading(camera, field))) | set(published(state(camera, "online", "", NOW)))
        assert {t for t in topics if field is None or "/water/" not in t} <= heard | {TOPICS.status}
        assert all(re.fullmatch(r"[^#+]+", topic) for topic in topics)


def test_readings_are_there_only_while_daemon_and_camera_are_but_problems_while_the_daemon_is() -> None:
    parts = json.loads(discovery("homeassistant", "home/digits", "attic", TOPICS).payload)["components"]
    needs = {name: [one["topic"] for one in part["availability"]] for name, part in parts.items()}
    both = ["home/digits/status", "home/digits/attic/status"]
    assert needs == {"reading": both, "confidence": both, "problem": both[:1]}
    assert all(part["availability_mode"] == "all" for part in parts.values())


def test_a_message_is_retained_unless_said() -> None:
    assert Message("a", "b").retain


def test_the_text_names_every_topic_and_its_settings_are_valid() -> None:
    docs = Path(__file__).parents[3] / "docs"
    text = (docs / "mqtt.md").read_text(encoding="utf-8")
    for topic in {*published(reading()), *published(state("attic", "online", "", NOW)), TOPICS.status}:
        assert f"`{topic.replace('home/digits', 'digitd').replace('attic', 'CAMERA')}`" in text
    for name in ("mqtt", "webhook"):
        (block,) = re.findall(
            r"^```toml\n(.*?)^```$", (docs / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL | re.M
        )
        for sink in tomllib.loads(block)["sinks"].values():
            assert TypeAdapter[Any](SinkConfig).validate_python(sink).type == name
