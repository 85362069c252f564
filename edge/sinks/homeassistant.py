"""A camera as Home Assistant's MQTT discovery describes a device
(home-assistant.io/integrations/mqtt/#device-discovery-payload, since 2024.11).
"""

import json
import re
from importlib.metadata import version
from typing import Any

from edge.sinks.topics import Message, Topics


def discovery(home: str, prefix: str, camera: str, topics: Topics) -> Message:
    """home: what Home Assistant's discovery topics begin with. Retained, so that it is found after a restart of Home
    Assistant; an empty retained message under the same topic takes the device away.
    """
    device = f"{re.sub(r'[^a-zA-Z0-9_-]', '_', prefix)}_{camera}"
    running = {"topic": topics.status}
    seeing = {
        "topic": topics.camera_status(camera),
        "value_template": "{{ 'online' if value == 'online' else 'offline' }}",
    }
    components: dict[str, dict[str, Any]] = {}
    for field in topics.fields(camera):
        stem = f"{field}_" if field else ""
        name = f"{field} " if field else ""

        def component(what: str, platform: str, needs: list[dict[str, str]], **options: str) -> None:
            components[f"{stem}{what}"] = {  # noqa: B023  # called in this turn alone
                "platform": platform,
                "unique_id": f"{device}_{stem}{what}",  # noqa: B023
                "availability": needs,
                "availability_mode": "all",
                **options,
            }

        component(
            "reading",
            "sensor",
            [running, seeing],
            name=field or "reading",
            icon="mdi:counter",
            state_topic=topics.of(camera, field, "value"),
            json_attributes_topic=topics.of(camera, field, "reading"),
        )
        component(
            "confidence",
            "sensor",
            [running, seeing],
            name=f"{name}confidence",
            state_topic=topics.of(camera, field, "reading"),
            value_template="{{ (value_json.confidence * 100) | round(1) }}",
            unit_of_measurement="%",
            state_class="measurement",
            entity_category="diagnostic",
        )
        component(
            "problem",
            "binary_sensor",
            [running],  # a camera that is lost is a problem to be seen
            name=f"{name}problem",
            device_class="problem",
            state_topic=topics.of(camera, field, "problem"),
            value_template="{{ value_json.problem }}",
            json_attributes_topic=topics.of(camera, field, "problem"),
            entity_category="diagnostic",
        )
    payload = {
        "device": {"identifiers": [device], "name": camera, "manufacturer": "digitd", "model": "reader of digits"},
        "origin": {"name": "digitd", "sw_version": version("digitd")},
        "components": components,
        "qos": 1,
    }
    return Message(f"{home}/device/{device}/config", json.dumps(payload))
