"""Mutates a format's own files and reads them: `python -m tests.engine.formats.fuzz_child FORMAT COUNT SEED`.

Each reading ends in images or in an error of the project's own; anything else is a fault, for which a line is
printed. The same seed gives the same files.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from engine.document.records import ClassDef, Instance, Keypoint
from engine.errors import DataError, MaskwrightError
from engine.formats.reading import Pictures, Reading, with_ids
from engine.formats.registry import Format, Holds, format_named, recognise
from engine.formats.source import Source
from tests.engine.formats.making import HEIGHT, WIDTH, apart, difficult, image, instances, write

SLOWEST = 5.0
_TOKENS = (
    b"NaN", b"-1", b"1e999", b"null", b"[]", b"{}", b"\"\"", b"99999999999999999999", b"../../x",
    b"/etc/passwd", b"\\\\host\\share", b"[" * 5000, b"{\"a\":" * 3000, b"\x00", b"\xff\xfe", b"<!DOCTYPE a>",
    b"&amp;&lol;", b"true",
)  # fmt: skip


def samples(one: Format, folder: Path) -> None:
    """Files of the format with all that it holds, exact and as polygons."""
    masks = difficult() if Holds.OVERLAP in one.holds else apart()
    classes = (ClassDef(1, "cell", "#ff0000", ("head", "tail"), ((0, 1),)), ClassDef(2, "wall", "#00ff00"))
    made = [Instance(i.id, 1 + n % 2, i.mask, track_id=n) for n, i in enumerate(instances(masks))]
    if Holds.KEYPOINTS in one.holds:
        points = (Keypoint(3, 4, 2), Keypoint(8, 9, 1))
        made.append(Instance(500, 1, None, (2.0, 3.0, 9.0, 10.0), keypoints=points, attributes=(("a", "b"),)))
    write(one, [image("a.png", made), image("b.png", made[:1])], folder / "exact", classes=classes)
    if one.has_polygons:
        write(
            one, [image("a.png", made), image("b.png")], folder / "polygons", classes=classes, polygons=True
        )


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The bytes with a few of them changed, cut, doubled, or replaced by something hostile."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(out) + 1)
        to = min(len(out), at + draw.randint(0, 40))
        match draw.randrange(6):
            case 0:
                out[at:to] = bytes(draw.randrange(256) for _ in range(to - at))
            case 1:
                del out[at:to]
            case 2:
                out[at:at] = out[at:to] * draw.randint(1, 5)
            case 3:
                out[at:to] = draw.choice(_TOKENS)
            case 4:
                del out[at:]
            case 5:
                digits = [n for n, byte in enumerate(out) if 48 <= byte <= 57]
                if digits:
                    out[draw.choice(digits)] = draw.choice(b"0123456789-.e")
    return bytes(out)


def read_all(one: Format, folder: Path) -> None:
    """Read as an import does. Raises whatever the reader raises but the project's own errors."""
    size = dict.fromkeys(("a.png", "b.png", "images/a.png"), (WIDTH, HEIGHT))
    try:
        source = Source(folder)
        recognised = recognise(source)
        assert recognised.name
    except DataError:
        pass
    reading = Reading(Pictures(folder, size, size))
    try:
        for found in one.read(Source(folder), reading):
            with_ids(found, {known.id: known.name for known in reading.classes.all})
    except MaskwrightError:
        pass  # a sentence for a person


def main(name: str, count: int, seed: int) -> int:
    """How many faults there were."""
    one, draw, faults = format_named(name), random.Random(f"{name} {seed}"), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        samples(one, Path(place) / "own")
        own = sorted(p for p in (Path(place) / "own").iterdir())
        work = Path(place) / "work"
        for number in range(count):
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(draw.choice(own), work)
            victim = draw.choice(sorted(p for p in work.rglob("*") if p.is_file()))
            victim.write_bytes(mutated(victim.read_bytes(), draw))
            began = time.monotonic()
            try:
                read_all(one, work)
            except BaseException:  # noqa: BLE001 - that is what is looked for
                faults += 1
                print(
                    f"{name} {number} {victim.relative_to(work)}: {traceback.format_exc()[-1500:]}",
                    flush=True,
                )
            if time.monotonic() - began > SLOWEST:
                faults += 1
                print(f"{name} {number} took {time.monotonic() - began:.1f} s", flush=True)
    return faults


if __name__ == "__main__":
    names, times, start = sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])
    sys.exit(min(sum(main(one, times, start) for one in names), 99))
