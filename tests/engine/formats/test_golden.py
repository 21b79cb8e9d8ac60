"""What is written is what was committed, byte for byte; read back, every field that a format has is there.

A PNG counts by its pixels, mode and palette.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.document.records import ClassDef, Instance
from engine.errors import DataError
from engine.formats import yaml_subset
from engine.formats.reading import ReadImage
from engine.formats.registry import Format, Holds
from engine.formats.writing import ExportImage
from tests.engine.formats.golden import CLASSES, FOLDER, contents, held, name_of, plain, variants, written
from tests.engine.formats.making import HEIGHT, WIDTH, read

VARIANTS = [pytest.param(*variant, id=name_of(*variant)) for variant in variants()]

SEEN_ONLY = {"labelme", "x-anylabeling", "via-json", "via-csv"}
"""Formats that have points and not whether they are hidden."""
ONE_CLASS = {"davis"}
POINTS_ALONE = {"via-json", "via-csv"}
"""Formats in which a point is an instance by itself."""
OWN_TRACKS = {"mots-png", "mots-txt"}
"""Formats in which a track's number is made of the class's and one within the class."""


@pytest.mark.parametrize(("one", "polygons"), VARIANTS)
def test_that_today_s_files_are_the_committed_ones(one: Format, polygons: bool, tmp_path: Path) -> None:
    golden = FOLDER / name_of(one, polygons)
    assert plain(written(one, polygons, tmp_path / "out")) == plain(contents(golden))


Field = Callable[[Format, Instance, Sequence[ClassDef]], Hashable]


def _shape(one: Instance) -> Hashable:
    if one.mask is None:
        return one.box_xyxy
    return np.packbits(one.mask.to_full(HEIGHT, WIDTH)).tobytes()


def _class(one: Format, of: Instance, classes: Sequence[ClassDef]) -> Hashable:
    return "" if one.name in ONE_CLASS else next(known.name for known in classes if known.id == of.class_id)


def _keypoints(one: Format, of: Instance, _classes: Sequence[ClassDef]) -> Hashable:
    if one.name in POINTS_ALONE and (of.mask is not None or of.bounds_xyxy[0] != 25):
        return ()
    hides = one.name in SEEN_ONLY
    return tuple(
        (point.x, point.y, 2 if hides else point.visibility) for point in of.keypoints if point.visibility
    )


def _attributes(of: Instance) -> Hashable:
    return tuple(sorted(one for one in of.attributes if ":" not in one[0]))


def _track(one: Format, of: Instance, _classes: Sequence[ClassDef]) -> Hashable:
    if of.track_id is not None and one.name in OWN_TRACKS:
        return of.track_id % 1000
    return of.track_id


FIELDS: dict[str, tuple[Holds, Field]] = {
    "classes": (Holds(0), _class),
    "keypoints": (Holds.KEYPOINTS, _keypoints),
    "tracks": (Holds.TRACKS, _track),
    "attributes": (
        Holds.ATTRIBUTES,
        lambda _f, of, _c: tuple(sorted(a for a in of.attributes if ":" not in a[0])),
    ),
    "ids": (Holds.IDS, lambda _f, of, _c: of.id),
    "scores": (Holds.SCORES, lambda _f, of, _c: of.score),
}
"""Of an instance: what a format must say that it holds, and how the field is looked at."""

CASES = [
    pytest.param(one, polygons, field, id=f"{name_of(one, polygons)}-{field}")
    for one, polygons in variants()
    for field, (needed, _) in FIELDS.items()
    if needed in one.holds
]


def golden(one: Format, polygons: bool) -> tuple[dict[str, ReadImage], Sequence[ClassDef]]:
    found, reading = read(one, FOLDER / name_of(one, polygons), held(one))
    return found, reading.classes.all


@pytest.mark.parametrize(("one", "polygons", "field"), CASES)
def test_that_a_field_is_read_from_the_committed_files(one: Format, polygons: bool, field: str) -> None:
    """Of each instance, known again by its pixels or its box."""
    look = FIELDS[field][1]
    found, classes = golden(one, polygons)
    after = {_shape(of): look(one, of, classes) for of in found["a.png"].instances}
    before = {_shape(of): look(one, of, CLASSES) for of in held(one)[0].instances}
    assert after == before


@pytest.mark.parametrize(("one", "polygons"), VARIANTS)
def test_that_regions_flags_and_negatives_are_read_from_the_committed_files(
    one: Format, polygons: bool
) -> None:
    full, empty = held(one)
    found, _ = golden(one, polygons)
    assert _regions(found["a.png"]) == _regions(full)
    assert found["a.png"].flags == full.flags
    assert (empty.name in found) == (Holds.NEGATIVES in one.holds)
    if empty.name in found:
        assert found[empty.name].is_negative


def _regions(image: ReadImage | ExportImage) -> list[bytes]:
    return [np.packbits(region.mask.to_full(HEIGHT, WIDTH)).tobytes() for region in image.ignore]


@pytest.mark.parametrize("one", [one for one, polygons in variants() if not polygons and one.has_classes
                                 and Holds.KEYPOINTS in one.holds and one.name not in POINTS_ALONE],
                         ids=lambda one: one.name)  # fmt: skip
def test_that_keypoints_keep_their_names(one: Format) -> None:
    _, classes = golden(one, polygons=False)
    assert next(known.keypoints for known in classes if known.name == "cell") == ("head", "tail")


def test_that_keypoints_are_named_in_every_way_yaml_has() -> None:
    """As in Ultralytics' own coco-pose.yaml, whose lists lie below their class."""
    said = "names:\n  0: person\nkpt_shape: [2, 3]\nkpt_names:\n  0:\n    - nose\n    - left eye # the\n"
    assert yaml_subset.parse(said, "here")["kpt_names"] == {"0": ["nose", "left eye"]}
    flow = yaml_subset.parse('kpt_names:\n  0: ["nose", "eye"]\n  1: [a]\n', "here")
    assert flow["kpt_names"] == {"0": ["nose", "eye"], "1": ["a"]}
    with pytest.raises(DataError, match="twice"):
        yaml_subset.parse("names: {0: a, 0: b}", "here")
