"""The little of YAML that data sets' `data.yaml` uses: keys, numbers, names, lists and maps of them.

No anchors, no tags, no objects: nothing in such a file can do anything but be read. Knows no format.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from engine.errors import DataError
from engine.formats.checks import shortened

Value: TypeAlias = "str | int | float | list[Value] | dict[str, Value] | None"
_MOST_LINES = 100_000


def parse(text: str, place: str) -> dict[str, Value]:
    """The keys at the top, each with its value. Raises DataError for what is beyond the subset."""
    lines = [line for line in map(_without_comment, text.splitlines()) if line.strip()]
    if len(lines) > _MOST_LINES:
        raise DataError(f"{place} has more than {_MOST_LINES:,} lines.")
    found: dict[str, Value] = {}
    at = 0
    while at < len(lines):
        line = lines[at]
        if line[0] in " \t-" or ":" not in line:
            if line.strip() in ("---", "..."):
                at += 1
                continue
            raise DataError(f"{place}: '{shortened(line)}' is no 'key: value'.")
        key, _, rest = line.partition(":")
        key = str(_scalar(key.strip()))
        if key in found:
            raise DataError(f"{place} has the key '{shortened(key)}' twice.")
        at += 1
        block = []
        while at < len(lines) and lines[at][0] in " \t-" and lines[at].strip() not in ("---", "..."):
            block.append(lines[at].strip())
            at += 1
        inline = rest.strip()
        if inline[:1] in ("[", "{"):
            found[key] = _flow(" ".join([inline, *block]), place)
        else:
            found[key] = _block(block, place) if block and not inline else _scalar(inline)
    return found


def quoted(text: str) -> str:
    """Text as a YAML string that no reader takes for anything else."""
    return json.dumps(text, ensure_ascii=False)


def _block(lines: list[str], place: str) -> Value:
    if all(line.startswith("-") for line in lines):
        return [_scalar(line[1:].strip()) for line in lines]
    found: dict[str, Value] = {}
    name = ""
    for line in lines:
        last = found.get(name)
        if line.startswith("-") and (isinstance(last, list) or (name in found and last is None)):
            found[name] = [*(last or []), _scalar(line[1:].strip())]
            continue
        key, colon, rest = line.partition(":")
        if not colon:
            raise DataError(f"{place}: '{shortened(line)}' is no 'key: value'.")
        name, inline = str(_scalar(key.strip())), rest.strip()
        if name in found:
            raise DataError(f"{place} has the key '{shortened(name)}' twice.")
        found[name] = _flow(inline, place) if inline[:1] in ("[", "{") else _scalar(inline)
    return found


def _flow(text: str, place: str) -> Value:
    if text[-1] != {"[": "]", "{": "}"}[text[0]]:
        raise DataError(f"{place}: '{shortened(text)}' does not end.")
    items = _split(text[1:-1])
    if text[0] == "[":
        return [_scalar(item) for item in items]
    found: dict[str, Value] = {}
    for item in items:
        key, colon, rest = item.partition(":")
        if not colon:
            raise DataError(f"{place}: '{shortened(item)}' is no 'key: value'.")
        name = str(_scalar(key.strip()))
        if name in found:
            raise DataError(f"{place} has the key '{shortened(name)}' twice.")
        found[name] = _scalar(rest.strip())
    return found


def _split(text: str) -> list[str]:
    items, start, quote = [], 0, ""
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == ",":
            items.append(text[start:place].strip())
            start = place + 1
    return [item for item in (*items, text[start:].strip()) if item]


def _scalar(text: str) -> Value:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None if text in ("", "~", "null") else text


def _without_comment(line: str) -> str:
    quote = ""
    for place, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place].rstrip()
    return line.rstrip()
