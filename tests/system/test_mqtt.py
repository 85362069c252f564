"""The MQTT sink with a real mosquitto: nothing is lost or out of order, whatever becomes of the broker."""

import gc
import json
import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from edge.config import MqttSink, Secret
from edge.errors import ConfigError
from edge.events import Event, state
from edge.outbox import Outbox
from edge.sinks import open_sink
from edge.sinks.delivery import Delivery, stop_all
from tests.system.broker import Broker, Listener

pytestmark = pytest.mark.xdist_group("broker")

CAMERAS = {"cellar": ("water",), "attic": ()}


def reading(number: int = 40718, source: str = "attic", **more: Any) -> Event:
    text = str(number)
    body = {"field": None, "text": text, "raw": text, "confidence": 0.99, "status": "ok", "why": None, **more}
    return Event(str(ULID()), "reading", source, time.time(), body)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def soon(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def broker(tmp_path: Path, need: Callable[..., None]) -> Iterator[Broker]:
    need("mosquitto", "mosquitto_passwd", "openssl")
    folder = tmp_path / "broker"
    folder.mkdir()
    with Broker(folder) as one:
        yield one


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    one = Listener(broker)
    yield one
    one.close()


class House:
    """An outbox and its delivery to a broker, as the daemon has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outbox = Outbox(folder / "outbox.db")
        self.outbox.keep_only(["house"])
        self.deliveries: list[Delivery] = []

    def settings(self, broker: Broker, **options: Any) -> MqttSink:
        secret = self.folder / "password"
        secret.write_text(f"{broker.password}\n")
        usual = {"host": "127.0.0.1", "port": broker.port, "user": broker.user, "password": Secret(file=secret)}
        return MqttSink(type="mqtt", **{**usual, "keepalive": 5, **options})

    def deliver(self, broker: Broker, **options: Any) -> Delivery:
        delivery = Delivery(open_sink("house", self.settings(broker, **options), CAMERAS), self.outbox)
        self.deliveries.append(delivery)
        delivery.start()
        return delivery

    def put(self, *events: Event) -> None:
        self.outbox.put(events)
        for delivery in self.deliveries:
            delivery.wake()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    one = House(tmp_path)
    monkeypatch.setattr("edge.sinks.mqtt.LONGEST_PAUSE", 1.0)
    yield one
    stop_all(one.deliveries, 5)
    one.outbox.close()


def test_readings_arrive_over_tls_with_a_password_in_order(house: House, broker: Broker, listener: Listener) -> None:
    events = [reading(n) for n in range(120)]
    house.put(*events)
    delivery = house.deliver(broker, host="localhost", port=broker.tls_port, tls=True, ca=broker.ca)
    soon(lambda: delivery.waiting == 0)
    soon(lambda: len(listener.events("reading")) == 120)
    assert listener.events("reading") == [event.to_json() for event in events]
    assert listener.last("digitd/attic/value") == "119"


def test_who_subscribes_later_finds_the_last_reading_the_states_and_the_devices(house: House, broker: Broker) -> None:
    house.put(state("attic", "online", "", time.time()), reading(1), reading(2))
    delivery = house.deliver(broker)
    soon(lambda: delivery.waiting == 0)
    late = Listener(broker, name="late")
    soon(lambda: len(late.heard) >= 7)
    assert all(retained for _, _, retained in late.heard)
    assert (late.last("digitd/status"), late.last("digitd/attic/status")) == ("online", "online")
    assert late.last("digitd/attic/value") == "2"
    assert json.loads(late.last("digitd/attic/problem") or "")["problem"] == "OFF"
    device = json.loads(late.last("homeassistant/device/digitd_cellar/config") or "")
    assert set(device["components"]) == {"water_reading", "water_confidence", "water_problem"}
    late.close()


def test_an_end_in_order_and_a_death_both_leave_offline_behind(
    house: House, broker: Broker, listener: Listener
) -> None:
    delivery = house.deliver(broker)
    soon(lambda: listener.last("digitd/status") == "online")
    assert delivery.stop(5)
    soon(lambda: listener.last("digitd/status") == "offline")
    sink = open_sink("house", house.settings(broker), CAMERAS)
    sink.start()
    soon(lambda: listener.last("digitd/status") == "online")
    # Cut the connection as a crash of the process would: no word of parting.
    connection = sink._connected()  # type: ignore[attr-defined]
    sink._closing.set()  # type: ignore[attr-defined]
    socket.socket.shutdown(connection._client.socket(), socket.SHUT_RDWR)
    soon(lambda: listener.last("digitd/status") == "offline")
    sink.close()


def test_a_broker_killed_and_restarted_under_load_loses_nothing(
    house: House, broker: Broker, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    delivery = house.deliver(broker)
    events: list[Event] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            batch = [reading(len(events) + n) for n in range(3)]
            house.put(*batch)
            events.extend(batch)
            time.sleep(0.02)

    loader = threading.Thread(target=load)
    loader.start()
    try:
        for _ in range(2):
            before = len(listener.events("reading"))
            soon(lambda before=before: len(listener.events("reading")) > before + 10)  # type: ignore[misc]
            broker.kill()
            time.sleep(0.2)
            broker.start()
    finally:
        stop.set()
        loader.join()
    soon(lambda: delivery.waiting == 0, 60)
    soon(lambda: listener.events("reading")[-1:] == [events[-1].to_json()], 60)
    heard = [event["id"] for event in listener.events("reading")]
    assert list(dict.fromkeys(heard)) == [event.id for event in events], "all, in order, copies with the same id"
    assert "Traceback" not in caplog.text


def test_a_broker_that_is_down_at_the_start_gets_everything_later(
    house: House, broker: Broker, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    broker.kill(signal.SIGTERM)  # in good order: it knows the listener when it is back
    delivery = house.deliver(broker)
    events = [reading(n) for n in range(60)]
    house.put(*events)
    soon(lambda: delivery.problem)
    assert delivery.problem == (
        f"127.0.0.1:{broker.port}: cannot be reached (Connection refused); check host, port and that the broker runs"
    )
    broker.start()
    soon(lambda: delivery.problem is None and delivery.waiting == 0)
    soon(lambda: len(listener.events("reading")) >= 60)
    assert [event["id"] for event in listener.events("reading")] == [event.id for event in events]
    assert [record.levelname for record in caplog.records if "sink house" in record.getMessage()] == ["WARNING"] * 2


def test_a_broker_that_pauses_is_noticed_and_gets_everything_when_it_goes_on(
    house: House, broker: Broker, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sinks.mqtt.ACKNOWLEDGING", 1.0)
    delivery = house.deliver(broker)
    soon(lambda: listener.last("digitd/status") == "online")
    broker.pause()
    events = [reading(n) for n in range(5)]
    house.put(*events)
    soon(lambda: delivery.problem)
    assert delivery.problem is not None and "did not acknowledge in 1 s" in delivery.problem
    broker.resume()
    soon(lambda: delivery.waiting == 0, 40)
    soon(lambda: len({event["id"] for event in listener.events("reading")}) == 5)
    heard = [event["id"] for event in listener.events("reading")]
    assert list(dict.fromkeys(heard)) == [event.id for event in events]


def test_a_paused_broker_does_not_hold_up_the_end(house: House, broker: Broker, listener: Listener) -> None:
    delivery = house.deliver(broker)
    soon(lambda: listener.last("digitd/status") == "online")
    broker.pause()
    before = time.monotonic()
    delivery.stop(60)
    assert time.monotonic() - before < 20 and not delivery.alive
    broker.resume()


def test_a_wrong_password_is_said_in_one_line_and_not_shown(
    house: House, broker: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sinks.mqtt.FIRST_PAUSE", 0.05)
    wrong = house.folder / "wrong"
    wrong.write_text("hunter2")
    delivery = house.deliver(broker, password=Secret(file=wrong))
    house.put(reading())
    soon(lambda: broker.log.count("not authorised") >= 3 or broker.log.count("Not authorized") >= 3)
    soon(lambda: delivery.problem)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"sink house: 127.0.0.1:{broker.port}: refuses us: Not authorized; check user and password")
    assert "hunter2" not in caplog.text and "hunter2" not in repr(vars(delivery))
    assert delivery.waiting == 1


def test_connections_that_fail_leave_nothing_open(
    house: House, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sinks.mqtt.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("edge.sinks.mqtt.LONGEST_PAUSE", 0.01)
    wrong = house.folder / "wrong"
    wrong.write_text("hunter2")
    gc.disable()  # nothing is to wait for it
    try:
        before = open_files()
        house.deliver(broker, password=Secret(file=wrong))
        soon(lambda: broker.log.count("Sending CONNACK") > 20)
        assert open_files() < before + 10
    finally:
        gc.enable()


def test_a_broker_that_is_not_who_it_says_is_not_spoken_to(house: House, broker: Broker) -> None:
    delivery = house.deliver(broker, host="localhost", port=broker.tls_port, tls=True)
    house.put(reading())
    soon(lambda: delivery.problem)
    assert delivery.problem is not None and "cannot be trusted" in delivery.problem and "check" in delivery.problem


def test_tls_at_a_port_without_it_is_said(house: House, broker: Broker) -> None:
    delivery = house.deliver(broker, tls=True, ca=broker.ca, keepalive=5)
    house.put(reading())
    soon(lambda: delivery.problem, 30)
    assert delivery.problem is not None and "check" in delivery.problem


def test_something_that_listens_and_says_nothing_is_given_up(
    house: House, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sinks.mqtt.CONNECTING", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        delivery = house.deliver(broker, port=silent.getsockname()[1])
        house.put(reading())
        soon(lambda: delivery.problem)
        assert delivery.problem is not None and "did not answer in 0.5 s" in delivery.problem


def test_two_with_one_client_id_are_told_so(
    house: House, broker: Broker, caplog: pytest.LogCaptureFixture, listener: Listener
) -> None:
    sink = open_sink("house", house.settings(broker), CAMERAS)
    sink.start()
    soon(lambda: listener.last("digitd/status") == "online")
    other = open_sink("other", house.settings(broker, prefix="other"), CAMERAS)
    other.start()
    soon(lambda: "client_id of its own" in str(sink._problem))  # type: ignore[attr-defined]
    sink.close()
    other.close()


def test_a_broker_that_forgot_everything_is_told_again(house: House, broker: Broker, listener: Listener) -> None:
    house.put(state("attic", "lost", "no frames", time.time()))
    delivery = house.deliver(broker)
    soon(lambda: delivery.waiting == 0)
    broker.kill()
    (broker.folder / "mosquitto.db").unlink(missing_ok=True)
    broker.start()
    late = Listener(broker, name="late")
    soon(lambda: late.last("digitd/attic/problem"))
    assert late.last("digitd/attic/status") == "lost" and late.last("digitd/status") == "online"
    assert late.last("homeassistant/device/digitd_attic/config")
    late.close()


@pytest.mark.parametrize("allowed", ["digitd/#", "homeassistant/#"])
def test_topics_that_a_user_may_not_publish_are_named(
    tmp_path: Path, house: House, need: Callable[..., None], caplog: pytest.LogCaptureFixture, allowed: str
) -> None:
    need("mosquitto", "mosquitto_passwd", "openssl")
    folder = tmp_path / "strict"
    folder.mkdir()
    with Broker(folder, acl=f"user edge\ntopic write {allowed}\ntopic read #\n") as strict:
        delivery = house.deliver(strict)
        house.put(reading())
        if allowed == "digitd/#":
            soon(lambda: delivery.waiting == 0)
            assert "refuses homeassistant/device/digitd_" in caplog.text and delivery.problem is None
        else:
            soon(lambda: delivery.problem)
            assert delivery.problem is not None
            assert re.search(r"refuses digitd/attic/\w+ \(Not authorized\); allow this user", delivery.problem)
            assert delivery.waiting == 1
        stop_all(house.deliveries, 5)


def test_settings_that_cannot_work_are_refused_at_once(house: House, broker: Broker) -> None:
    no_ca, empty = house.folder / "none.crt", house.folder / "empty.crt"
    empty.write_text("no certificate")
    for options, says in [
        ({"ca": no_ca, "tls": True}, f"sinks.house.ca: {no_ca} \\(No such file or directory\\); name a PEM file"),
        ({"ca": empty, "tls": True}, f"sinks.house.ca: {empty} \\(holds no certificates\\); name a PEM file"),
        ({"user": None}, "password is set without user; set both"),
        ({"discovery": "home/#"}, "has no # and no"),
        ({"password": Secret(file=house.folder / "none")}, "does not exist"),
    ]:
        with pytest.raises(ConfigError, match=says):
            open_sink("house", house.settings(broker, **options), CAMERAS)


def test_an_old_broker_that_knows_mqtt_3_alone_is_spoken_to_in_it(house: House, broker: Broker) -> None:
    """Simulated: today's mosquitto knows MQTT 5. An old one answers it with CONNACK 1 and hangs up."""
    versions: list[int] = []

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            one, _ = server.accept()
            with one:
                hello = one.recv(200)
                versions.append(hello[8])
                if hello[8] == 5:
                    one.sendall(b"\x20\x02\x00\x01")
                    continue
                one.sendall(b"\x20\x02\x00\x00")
                one.settimeout(5)
                with_status = one.recv(1000)
                assert b"digitd/status" in with_status

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        sink = open_sink("house", house.settings(broker, port=server.getsockname()[1]), CAMERAS)
        sink.start()
        thread.join(15)
        assert versions == [5, 4]
        sink.close()
