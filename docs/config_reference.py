"""Writes docs/config.md, the reference of digitd.toml, from the models in edge/config.py: `make docs`.

python docs/config_reference.py [--print]
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.config_schema import schema

PAGE = Path(__file__).with_name("config.md")
HEAD = """# digitd.toml

Every key that there is, written by `make docs`. `digitd config default` prints an annotated file to begin with,
`digitd config check` says what is wrong with yours, `digitd config show` what is in force. An unknown key is an error.

The file is the one named by `--config`, else `digitd.toml` in the current folder, else `/etc/digitd/digitd.toml`.
"""

TABLES = {
    "Config": "The top",
    "ModelConfig": "[model]",
    "CameraConfig": "[cameras.NAME]",
    "ViewConfig": "[cameras.NAME.view]",
    "StabiliserConfig": "[cameras.NAME.stabiliser]",
    "FieldConfig": "[cameras.NAME.fields.NAME]",
    "StdoutSink": '[sinks.NAME] with type = "stdout"',
    "JsonlSink": '[sinks.NAME] with type = "jsonl"',
    "MqttSink": '[sinks.NAME] with type = "mqtt"',
    "WebhookSink": '[sinks.NAME] with type = "webhook"',
    "OutboxConfig": "[outbox]",
    "RetentionConfig": "[retention]",
    "Secret": "Where a secret is read from",
}


def page() -> str:
    """docs/config.md."""
    whole = schema()
    tables = {"Config": whole} | whole["$defs"]
    assert tables.keys() == TABLES.keys(), "TABLES lacks a table"
    return "\n".join([HEAD, *("\n".join(section(tables[name], title)) + "\n" for name, title in TABLES.items())])


def section(table: Mapping[str, Any], title: str) -> Iterator[str]:
    yield f"## {title}\n"
    if "description" in table and title != "The top":
        yield f"{table['description']}\n"
    yield "| key | value | default | |\n|---|---|---|---|"
    for key, about in table["properties"].items():
        default = "required" if key in table.get("required", []) else shown(about.get("default"))
        yield f"| `{key}` | {value(about)} | {default} | {about['description']} |".replace("|  |", "| |")


def value(about: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "anyOf" in about:
        return " or ".join(value(one) for one in about["anyOf"] if one.get("type") != "null")
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        return "a secret" if name == "Secret" else "a table"
    if "enum" in about or "const" in about:
        return ", ".join(f'`"{one}"`' for one in about.get("enum", [about.get("const")]))
    kind = about.get("type")
    if kind == "array":
        return f"[{', '.join(value(one) for one in about['prefixItems'])}]"
    if kind in ("integer", "number"):
        return f"{'whole number' if kind == 'integer' else 'number'}{bounds(about)}"
    return {"string": "path" if about.get("format") == "path" else "text", "boolean": "true, false"}.get(kind, "tables")


def bounds(about: Mapping[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    return "".join(f" {word} {about[key]:g}" for key, word in words.items() if key in about)


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return (
        ""
        if default is None or isinstance(default, dict)
        else f'`"{default}"`'
        if isinstance(default, str)
        else f"`{default}`"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="to standard output")
    if parser.parse_args().print:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
