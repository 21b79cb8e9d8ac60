"""What a fine-tuning learns from and measures on, set down when it begins: a stopped one goes on with it.

A person goes on labelling while it runs, or while it is stopped: it must not see that. One line of JSON
an image, its records as the journal writes them, the pictures by their paths. No torch here.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

from engine.document.codec import from_bytes, to_bytes
from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.diff import Diff
from engine.document.records import ClassDef, IgnoreRegion, Instance, Record
from engine.errors import TrainingError
from engine.files import replacing
from engine.formats.labelled import LabelledImage, LabelledSet

_LEARNED, _MEASURED = "learned", "measured"


def write_snapshot(file: Path, learned: LabelledSet, measured: LabelledSet) -> None:
    """Set both down, whole or not at all. Raises TrainingError where the file cannot be written."""
    try:
        with (
            replacing(file, durable=True) as part,
            part.open("w", encoding="ascii", newline="\n") as stream,
        ):
            stream.writelines(line + "\n" for line in _lines(learned, measured))
    except OSError as e:
        raise TrainingError(
            f"What is learned from cannot be noted in {file} ({e.strerror or e}): make room or mend the "
            "folder."
        ) from e


def read_snapshot(file: Path) -> tuple[LabelledSet, LabelledSet]:
    """What was set down: learned, measured. Raises TrainingError for a file that is damaged or missing."""
    try:
        head, *rows = (json.loads(line) for line in file.read_text(encoding="ascii").splitlines())
        classes = tuple(
            ClassDef(**{**one, "keypoints": tuple(one["keypoints"]), "skeleton": _pairs(one["skeleton"])})
            for one in head["classes"]
        )
        if head["images"] != len(rows):
            raise ValueError("it is cut off")
        sides: dict[str, list[LabelledImage]] = {_LEARNED: [], _MEASURED: []}
        for row in rows:
            sides[row["side"]].append(_image(row))
    except OSError as e:
        raise TrainingError(
            f"The training cannot go on: {file} cannot be read ({e.strerror or e}); start it anew."
        ) from e
    except (ValueError, KeyError, TypeError) as e:
        raise TrainingError(f"The training cannot go on: {file} is damaged; start it anew.") from e
    return LabelledSet(classes, tuple(sides[_LEARNED])), LabelledSet(classes, tuple(sides[_MEASURED]))


def _pairs(pairs: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a, b in pairs)


def _lines(learned: LabelledSet, measured: LabelledSet) -> Iterator[str]:
    count = len(learned.images) + len(measured.images)
    yield json.dumps({"classes": [dataclasses.asdict(one) for one in learned.classes], "images": count})
    for side, labelled in ((_LEARNED, learned), (_MEASURED, measured)):
        for image in labelled.images:
            yield json.dumps({"side": side, **_row(image)})


def _row(image: LabelledImage) -> dict[str, object]:
    instances: dict[int, Record] = {one.id: one for one in image.instances}
    records = instances | {one.id: one for one in image.ignore}
    return {
        "path": os.fsencode(image.path).hex(),
        "frame": image.frame,
        "width": image.width,
        "height": image.height,
        "contrast": str(image.contrast),
        "order": list(records),
        "records": base64.b64encode(to_bytes(Diff(added=records))).decode("ascii"),
    }


def _image(row: dict[str, object]) -> LabelledImage:
    path, records, order = row["path"], row["records"], row["order"]
    width, height, frame = row["width"], row["height"], row["frame"]
    if not isinstance(path, str) or not isinstance(records, str) or not isinstance(order, list):
        raise ValueError("not an image")
    if not isinstance(width, int) or not isinstance(height, int) or not isinstance(frame, int):
        raise ValueError("not an image")
    added = from_bytes(base64.b64decode(records), {}).added
    ordered = [added[id_] for id_ in order]
    return LabelledImage(
        Path(os.fsdecode(bytes.fromhex(path))),
        width,
        height,
        tuple(one for one in ordered if isinstance(one, Instance)),
        tuple(one for one in ordered if isinstance(one, IgnoreRegion)),
        frame,
        Contrast.parse(str(row.get("contrast", AUTOMATIC))),
    )
