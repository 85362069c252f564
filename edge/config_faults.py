"""What pydantic finds wrong with digitd.toml, in the words of someone who mends it."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edge.toml import dotted, places

Loc = tuple[str | int, ...]
Schema = Mapping[str, Any]

NAMES = "names are of small letters, digits, - and _, at most 63"
WANTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number that is finite",
    "bool_type": "true or false",
    "path_type": "a path in quotes",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


@dataclass(frozen=True)
class Fault:
    """line: from 1, of the key or, where it is missing, of the table that it is missing from. what: one line."""

    line: int
    what: str


def faults(error: ValidationError, document: Mapping[str, Any], text: str, schema: Schema) -> list[Fault]:
    """One for each key that is wrong, by line. document: what `text` holds; schema: the model's JSON Schema.

    No value is repeated but those of keys that allow a few words only: the others may be secrets.
    """
    by_key: dict[Loc, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        tag = ("type",) if detail["type"] == "union_tag_invalid" else ()
        by_key.setdefault(_key((*detail["loc"], *tag), document), []).append(detail)
    lines = places(text)
    found = [Fault(_line(key, lines), _what(key, details, schema)) for key, details in by_key.items()]
    return sorted(found, key=lambda fault: fault.line)


def _key(loc: Loc, document: Any) -> Loc:
    """`loc` without what stands in no file: the names of a union's members."""
    key: list[str | int] = []
    node: Any = document
    for at, part in enumerate(loc):
        if part in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
            node = node[part]
        elif at < len(loc) - 1 or not isinstance(node, dict | list) or part == "[key]":
            continue
        key.append(part)
    return tuple(key)


def _line(key: Loc, lines: Mapping[tuple[str, ...], int]) -> int:
    names = tuple(part for part in key if isinstance(part, str))
    for depth in range(len(names), 0, -1):
        if names[:depth] in lines:
            return lines[names[:depth]]
    return 1


def _what(key: Loc, details: list[ErrorDetails], schema: Schema) -> str:
    said = _said(key, details, schema)
    return f"{dotted(key)}: {said}" if key else said


def _said(key: Loc, details: list[ErrorDetails], schema: Schema) -> str:
    detail = details[0]
    kind, ctx = detail["type"], detail.get("ctx", {})
    if key[-1:] in (("password",), ("secret",)) and kind in WANTED:
        return 'secrets do not stand here; name where it is: {credential = "name"} or {file = "path"}'
    if len(details) > 1:
        return f"should be {' or '.join(_wanted(one) for one in details)}"
    if kind == "extra_forbidden":
        return f"no such key; {_nearest(str(key[-1]), _keys(schema, detail['loc'][:-1]))}"
    if detail["loc"][-1:] == ("[key]",):
        return f"no such name; {NAMES}"
    if kind == "missing" or (kind == "too_short" and key == ("cameras",)):
        if key == ("cameras",):
            return 'no camera; name one at least: [cameras.NAME] with source = "0"'
        return "is missing; the list is too short" if isinstance(key[-1], int) else "is missing; add it"
    if kind == "union_tag_invalid":
        return f"{_shown(ctx['tag'])} is not known; allowed: {ctx['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"type is missing; allowed: {', '.join(_tags(schema, detail['loc']))}"
    if kind == "literal_error":
        return f"{_shown(detail['input'])} is not known; allowed: {ctx['expected']}"
    if kind == "value_error":
        return str(ctx["error"])
    if kind == "string_pattern_mismatch":
        return "begins with http:// or https://" if key[-1] == "url" else "is not allowed; leave out # and +"
    if kind in WANTED:
        return f"should be {_wanted(detail)}"
    said = detail["msg"].removeprefix("Input ")
    return said[0].lower() + said[1:]


def _wanted(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        return str(detail["ctx"]["expected"])
    return WANTED.get(detail["type"], detail["msg"].removeprefix("Input should be "))


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) and len(value) <= 40 else "what is there"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:100], known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _keys(schema: Schema, loc: Loc) -> list[str]:
    return list(_at(schema, loc).get("properties", {}))


def _tags(schema: Schema, loc: Loc) -> list[str]:
    return [f"'{tag}'" for tag in _at(schema, loc).get("discriminator", {}).get("mapping", {})]


def _at(schema: Schema, loc: Loc) -> Schema:
    """What the schema says of what stands at `loc`, where a union's member is named by its discriminator."""
    node = schema
    for part in loc:
        node = _resolved(schema, node)
        if part in node.get("properties", {}):
            node = node["properties"][part]
        elif part in node.get("discriminator", {}).get("mapping", {}):
            node = {"$ref": node["discriminator"]["mapping"][part]}
        else:  # a table by names: with a pattern for them, or without
            node = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties") or {})
    return _resolved(schema, node)


def _resolved(schema: Schema, node: Schema) -> Schema:
    for one in node.get("anyOf", []):
        if "$ref" in one:
            node = one
    if "$ref" in node:
        return schema["$defs"][node["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]
    return node
