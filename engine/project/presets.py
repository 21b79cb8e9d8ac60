"""Sets of classes as small JSON files, to be used in another project and shared.

    {"format": "maskwright-classes", "version": 1,
     "classes": [{"name": "cell", "color": "#3fa7d6", "keypoints": [], "skeleton": []}]}

Keypoints and skeleton may be left out. Knows files; no project.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.document.records import ClassDef
from engine.errors import ProjectError
from engine.files import replacing

_FORMAT = "maskwright-classes"
_MOST_BYTES = 4 << 20
_COLOR = re.compile("#[0-9a-fA-F]{6}")


def write_preset(path: Path, classes: Sequence[ClassDef]) -> None:
    """Write classes to a file, whole or not at all. Raises ProjectError."""
    data = {
        "format": _FORMAT,
        "version": 1,
        "classes": [
            {
                "name": one.name,
                "color": one.color,
                "keypoints": list(one.keypoints),
                "skeleton": [list(pair) for pair in one.skeleton],
            }
            for one in classes
        ],
    }
    try:
        with replacing(path) as part:
            part.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as e:
        raise ProjectError(f"{path} cannot be written ({e.strerror or e}): choose another place.") from e


def read_preset(path: Path) -> tuple[ClassDef, ...]:
    """The classes of a file, all with the id 0. Raises ProjectError for one that is no such file."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ProjectError(f"{path} is too large for a set of classes: choose another file.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ProjectError(f"{path} cannot be read ({e.strerror or e}): choose another file.") from e
    except (ValueError, RecursionError) as e:
        raise ProjectError(f"{path} is no set of classes ({e}): choose another file.") from e
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ProjectError(f"{path} is no set of classes of Maskwright: choose another file.")
    if data.get("version") != 1:
        raise ProjectError(f"{path} was written by a newer Maskwright: update Maskwright to read it.")
    classes = data.get("classes")
    if not isinstance(classes, list):
        raise ProjectError(f"{path} holds no list of classes: choose another file.")
    return tuple(_class(path, number, item) for number, item in enumerate(classes, 1))


def _class(path: Path, number: int, item: Any) -> ClassDef:
    place = f"Class {number} of {path}"
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"].strip():
        raise ProjectError(f"{place} has no name: mend the file.")
    color = item.get("color", "")
    if color and not (isinstance(color, str) and _COLOR.fullmatch(color)):
        raise ProjectError(f'{place} has a colour other than "#rrggbb": mend the file.')
    keypoints, skeleton = item.get("keypoints", []), item.get("skeleton", [])
    if not isinstance(keypoints, list) or not all(isinstance(one, str) for one in keypoints):
        raise ProjectError(f"{place} has keypoints that are no names: mend the file.")
    if not isinstance(skeleton, list) or not all(_is_pair(pair, len(keypoints)) for pair in skeleton):
        raise ProjectError(f"{place} has a skeleton that joins no keypoints: mend the file.")
    return ClassDef(
        0, item["name"], color.lower(), tuple(keypoints), tuple((pair[0], pair[1]) for pair in skeleton)
    )


def _is_pair(pair: Any, count: int) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(end) is int and 0 <= end < count for end in pair)
    )
