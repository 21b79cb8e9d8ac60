"""Golden files: what each format writes of known images; `python -m tests.engine.formats.golden` makes them.

They are committed, so that a change of what is written is seen, and read back by today's readers.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.document.masks import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance, Keypoint
from engine.exchange.exporting import fitted
from engine.formats.registry import Format, Holds, formats
from engine.formats.writing import ExportImage, Losses
from tests.engine.formats.making import HEIGHT, WIDTH, write

FOLDER = Path(__file__).parent / "golden"

CLASSES = (
    ClassDef(1, "cell", "#ff0000", ("head", "tail"), ((0, 1),)),
    ClassDef(2, "wall of it", "#00ff00"),
    ClassDef(3, "Zelle ä", "#0000ff"),
)


def everything() -> tuple[ExportImage, ...]:
    """Images with all that any format holds: one full, one that holds nothing."""
    holed = np.zeros((HEIGHT, WIDTH), np.bool_)
    holed[3:12, 4:16] = True
    holed[6:9, 8:12] = False
    parts = np.zeros_like(holed)
    parts[0:3, 24:30] = True
    parts[15:19, 22:28] = True
    void = np.zeros_like(holed)
    void[14:20, 0:5] = True
    over = np.zeros_like(holed)
    over[8:14, 12:22] = True
    points = (Keypoint(6.5, 4.25, 2), Keypoint(14.0, 10.5, 1))
    attributes = (("colour", "red"), ("note", 'a, b & "c" <d> ä'))
    instances = (
        Instance(101, 1, Mask.from_full(holed), score=0.75, z=0, keypoints=points, track_id=7,
                 attributes=attributes),
        Instance(102, 2, Mask.from_full(parts), score=0.5, z=1, track_id=8),
        Instance(103, 3, None, (17.0, 1.0, 21.5, 5.0), score=0.25, z=2, track_id=9),
        Instance(104, 1, None, (18.0, 12.0, 21.0, 19.0), score=1.0, z=3, keypoints=points[:1], track_id=10),
        Instance(105, 3, Mask.from_full(over), score=0.125, z=4, track_id=11),
        Instance(106, 2, None, (25.0, 8.0, 25.0, 8.0), score=0.5, z=5, keypoints=(Keypoint(25.0, 8.0, 2),),
                 track_id=12),
    )  # fmt: skip
    ignore = (IgnoreRegion(201, Mask.from_full(void)),)
    first = ExportImage("a.png", Path("a.png"), WIDTH, HEIGHT, instances, ignore, ("blurred",))
    return first, ExportImage("b.png", Path("b.png"), WIDTH, HEIGHT)


def held(one: Format) -> tuple[ExportImage, ...]:
    """Of everything, what the format says that it holds."""
    losses = Losses()
    images = []
    for image in everything():
        kept = fitted(image, one.holds, losses)
        if Holds.OVERLAP not in one.holds:
            kept = ExportImage(
                kept.name, kept.path, kept.width, kept.height,
                tuple(i for i in kept.instances if i.id != 105), kept.ignore, kept.flags,
            )  # fmt: skip
        images.append(kept)
    return tuple(images)


def variants() -> list[tuple[Format, bool]]:
    """Every format that is written, exact and, where it has them, as polygons."""
    return [
        (one, polygons)
        for one in formats().values()
        if one.can_write
        for polygons in ((False, True) if one.has_polygons else (False,))
    ]


def name_of(one: Format, polygons: bool) -> str:
    return f"{one.name}-polygons" if polygons else one.name


def written(one: Format, polygons: bool, folder: Path) -> dict[str, bytes]:
    """What the format writes of the images into a new folder, by path."""
    write(one, held(one), folder, classes=CLASSES, polygons=polygons)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def plain(files: dict[str, bytes]) -> dict[str, object]:
    """The files with every PNG, also one inside JSON, as its pixels: how hard it is squeezed is not ours."""
    return {
        name: _pixels(data) if name.endswith(".png") else _MASK.sub(_inlined, data.decode())
        for name, data in files.items()
    }


_MASK = re.compile(r'"(iVBOR[A-Za-z0-9+/=]+)"')


def _inlined(found: re.Match[str]) -> str:
    return json.dumps(_pixels(base64.b64decode(found[1])))


def _pixels(png: bytes) -> Sequence[object]:
    with Image.open(io.BytesIO(png)) as picture:
        palette = picture.getpalette()
        return [picture.mode, palette, np.asarray(picture).tolist()]


def main() -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for one, polygons in variants():
        written(one, polygons, FOLDER / name_of(one, polygons))
    return 0


if __name__ == "__main__":
    sys.exit(main())
