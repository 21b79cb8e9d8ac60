"""One 16-bit PNG a picture: each pixel the number of its instance, 0 for none.

`instances.csv` beside them has the class, id and track of each number. Without it all are of one class, so
that masks of any program can be read: `--format label-png`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from engine.document.masks import Mask
from engine.document.records import Instance, Provenance
from engine.errors import DataError
from engine.formats.beside import FileNames
from engine.formats.checks import encodable, labels_of, parsed_whole
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source
from engine.formats.writing import Export, painted

CLASS = "object"
_TABLE = "instances.csv"
_COLUMNS = ("mask", "value", "class", "id", "track")
_LARGEST = (1 << 16) - 1


@register
class LabelPng(Format):
    """`masks/<picture>.png` and `instances.csv`."""

    name = "label-png"
    title = "Label PNG"
    holds = Holds.MASKS | Holds.IDS | Holds.TRACKS | Holds.NEGATIVES
    picture_folders = ("images",)

    def sniff(self, source: Source) -> bool:
        """A folder with `instances.csv`."""
        return _TABLE in source.files and source.head_of(_TABLE).startswith(",".join(_COLUMNS).encode())

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every PNG; where there is a table, those that lie in `masks`."""
        known = _table(source)
        for name in source.files:
            if not name.lower().endswith(".png") or (known is not None and not name.startswith("masks/")):
                continue
            place = str(source.root / name)
            stem = str(PurePosixPath(name.removeprefix("masks/")).with_suffix(""))
            picture = picture_of(stem, reading)
            whole = reading.pictures.size(picture) if picture else None
            if picture is None or whole is None:
                yield ReadImage(picture or stem, place)
                continue
            try:
                values = labels_of(source.read_labels(name, whole))
                instances = tuple(
                    _instance(value, mask, (known or {}).get((name, value)), reading, place)
                    for value, mask in values
                )
                yield ReadImage(picture, place, *whole, instances)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A PNG for each picture and one table for each part."""
        for part in export.parts:
            folder, names = f"{part.name}/" if part.name else "", FileNames()
            buffer = io.StringIO()
            table = csv.writer(buffer, lineterminator="\n")
            table.writerow(_COLUMNS)
            for image in part.images():
                name = f"masks/{names.of(image)}.png"
                values = [n if n <= _LARGEST else 0 for n in range(1, len(image.instances) + 1)]
                if 0 in values:
                    export.losses.changed(f"instances beyond {_LARGEST:,} are left out", values.count(0))
                export.out.png(folder + name, painted(image, values, np.uint16, export.losses))
                for value, one in zip(values, image.instances, strict=True):
                    track = "" if one.track_id is None else one.track_id
                    table.writerow((name, value, export.class_of(one).name, one.id, track))
            with export.out.text(folder + _TABLE) as file:
                file.write(buffer.getvalue())


def picture_of(stem: str, reading: Reading) -> str | None:
    """The picture of a mask: that of its name, or the only one with the last number in it."""
    found = reading.pictures.of_stem(stem)
    if found is not None:
        return found
    number = _last_number(stem)
    alike = [name for name in reading.pictures.names if _last_number(PurePosixPath(name).stem) == number]
    return alike[0] if number and len(alike) == 1 else None


def _last_number(stem: str) -> str:
    rest = stem.rstrip("0123456789")
    return stem[len(rest) :]


def _table(source: Source) -> Mapping[tuple[str, int], tuple[str, int, int | None]] | None:
    if not source.has(_TABLE):
        return None
    found: dict[tuple[str, int], tuple[str, int, int | None]] = {}
    rows = csv.reader(io.StringIO(source.read_text(_TABLE)))
    try:
        for number, row in enumerate(rows, start=1):
            place = f"{source.root / _TABLE}: line {number}"
            if number == 1 or not row:
                continue
            if len(row) != len(_COLUMNS):
                raise DataError(f"{place} does not have {len(_COLUMNS)} columns.")
            name, value, class_name, id_, track = row
            key = (name, parsed_whole(value, f"{place}: the value"))
            if key in found:
                raise DataError(f"{place} gives the value {value} of {name} a second time.")
            known_track = parsed_whole(track, f"{place}: the track") if track else None
            plain = encodable(class_name, f"{place}: the class")
            found[key] = (plain, parsed_whole(id_, f"{place}: the id") if id_ else 0, known_track)
    except csv.Error as e:
        raise DataError(f"{source.root / _TABLE} is no table ({e}).") from e
    return found


def _instance(
    value: int, mask: Mask, known: tuple[str, int, int | None] | None, reading: Reading, place: str
) -> Instance:
    name, id_, track = known or (CLASS, 0, None)
    return Instance(
        id_,
        reading.classes.named(name, place).id,
        mask,
        provenance=Provenance.IMPORTED,
        z=value,
        track_id=track,
    )
