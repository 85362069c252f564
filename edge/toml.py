"""What tomllib leaves out: where in a file its keys stand, and writing."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]

MAX_STATEMENT = 200  # lines; looking for the end of a value takes as many tries as it has lines
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def places(text: str) -> dict[Path, int]:
    """The line, from 1, on which each table and key is first named. text: valid TOML.

    A statement is the shortest run of lines that is TOML by itself. Behind a value of more than MAX_STATEMENT lines
    nothing is looked for.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        for end in range(start + 1, min(start + MAX_STATEMENT, len(lines)) + 1):
            try:
                statement = tomllib.loads("\n".join(lines[start:end]))
            except ValueError:
                continue
            break
        else:
            return found
        paths = list(_paths(statement))
        if lines[start].lstrip().startswith("["):
            table = paths[-1]
            paths = [table[: depth + 1] for depth in range(len(table))]
        else:
            paths = [table + path for path in paths]
        for path in paths:
            found.setdefault(path, start + 1)
        start = end
    return found


def dotted(path: tuple[str | int, ...]) -> str:
    """A key as TOML writes it; [n] for what stands in a list."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{_key(part)}"
    return text


def dumps(document: Mapping[str, Any]) -> str:
    """TOML of strings, numbers, booleans, lists of them, and tables. What is None becomes a comment that says so."""
    return "\n".join(_table((), document)).strip("\n") + "\n"


def _paths(node: Any, above: Path = ()) -> Iterator[Path]:
    """Of all keys in a statement, each after the one it stands in."""
    if isinstance(node, list) and len(node) == 1:  # [[table]]
        yield from _paths(node[0], above)
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*above, key)
            yield from _paths(value, (*above, key))


def _table(path: Path, table: Mapping[str, Any]) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    values = {key: value for key, value in table.items() if key not in inner}
    if path and (values or not inner):
        yield f"\n[{dotted(path)}]"
    for key, value in values.items():
        yield f"# {_key(key)}: not set" if value is None else f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        yield from _table((*path, key), value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _string(value) if isinstance(value, str) else repr(value)


def _string(text: str) -> str:
    """JSON's strings are TOML's basic strings, but for the one control character that JSON lets through."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
