"""How long a pixel is: a scale for lengths, stored by the project or stated by the picture's file.

A file's own resolution counts only where somebody must have set it: screens' 72 and 96 dots an inch, which
programs write by themselves, say nothing about what is shown.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.errors import DataError, MediaError
from engine.media.files import open_for_reading

_TEXT = re.compile(r"\s*([0-9.,eE+-]+)\s*([^\W\d_][\w.]*|)\s*")
_BY_HABIT = (72.0, 96.0, 1.0)  # dots an inch
_IMAGEJ_UNIT = re.compile(r"^unit=(\S+)$", re.MULTILINE)
_MICRON = {"micron": "µm", "microns": "µm", "um": "µm", "\\u00B5m": "µm", "μm": "µm"}
_PLAIN = frozenset({"", "pixel", "pixels", "px", "null"})


@dataclass(frozen=True, slots=True)
class Scale:
    """One pixel is `size` `unit`s long. The default measures in pixels."""

    size: float = 1.0
    unit: str = "px"

    @property
    def is_pixels(self) -> bool:
        """Whether nothing is known beyond pixels."""
        return self.unit == "px"

    def __str__(self) -> str:
        return f"{self.size:g} {self.unit}"


PIXELS = Scale()


def parse_scale(text: str) -> Scale:
    """A scale of what a person wrote: "0.35 µm" is the length of a pixel. Raises DataError."""
    found = _TEXT.fullmatch(text)
    try:
        size = float(found[1].replace(",", ".")) if found else math.nan
    except ValueError:
        size = math.nan
    if found is None or not found[2] or not (math.isfinite(size) and size > 0):
        raise DataError(
            f"'{text}' is no scale: write how long a pixel is, a number and its unit, such as 0.35 µm."
        )
    return Scale(size, _MICRON.get(found[2], found[2]))


def to_json(scale: Scale) -> str:
    """As a project keeps it."""
    return json.dumps({"size": scale.size, "unit": scale.unit}, ensure_ascii=False)


def from_json(text: str) -> Scale:
    """What `to_json` wrote; pixels for anything else."""
    try:
        found = json.loads(text)
        size, unit = float(found["size"]), str(found["unit"])
    except (ValueError, TypeError, KeyError):
        return PIXELS
    return Scale(size, unit) if math.isfinite(size) and size > 0 and unit else PIXELS


def scale_of_file(path: Path) -> Scale | None:
    """The scale that a TIFF, JPEG or PNG file states; None where it states none that means something.

    ImageJ's unit of length first, else the resolution in dots an inch or a centimetre, as millimetres.
    """
    try:
        with (
            open_for_reading(path) as file,
            warnings.catch_warnings(action="ignore"),
            Image.open(file) as image,
        ):
            density = image.info.get("resolution") or image.info.get("dpi")
            described = str(getattr(image, "tag_v2", {}).get(270, ""))
            resolution = getattr(image, "tag_v2", {}).get(282)
            exif = dict(image.getexif())
    except (MediaError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    named = _IMAGEJ_UNIT.search(described)
    if named and resolution and float(resolution) > 0:
        unit = _MICRON.get(named[1], named[1])
        return None if unit in _PLAIN else Scale(1 / float(resolution), unit)
    unit_of_length = exif.get(296)
    if density is None and exif.get(282) and unit_of_length in (2, 3):
        dots = float(exif[282]) * (2.54 if unit_of_length == 3 else 1)
    elif density is not None:
        dots = float(density[0])
    else:
        return None
    if not math.isfinite(dots) or dots <= 0 or any(abs(dots - usual) < 0.6 for usual in _BY_HABIT):
        return None
    return Scale(25.4 / dots, "mm")
