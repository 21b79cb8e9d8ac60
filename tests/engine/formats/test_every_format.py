"""Claims that hold for every format: exact masks, one warning where it cannot, its own files known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.document.masks import Mask
from engine.document.records import ClassDef, Instance
from engine.errors import DataError
from engine.formats.registry import Format, Holds, format_named, formats, recognise, register
from engine.formats.source import Source
from tests.engine.formats.making import (
    CLASSES,
    apart,
    difficult,
    image,
    instances,
    masks,
    pixels,
    read,
    write,
)

BOTH = [one for one in formats().values() if one.can_read and one.can_write]
EXACT = [one for one in BOTH if Holds.MASKS in one.holds]
SEMANTIC = {"class-png"}
"""Formats that know classes and not instances."""


def ids(one: Format) -> str:
    return one.name


def fitting(one: Format) -> list[Mask]:
    return difficult() if Holds.OVERLAP in one.holds else apart()


def assert_same(
    one: Format, before: Sequence[Instance], after: Sequence[Instance], classes: Sequence[ClassDef]
) -> None:
    classless = not one.has_classes
    assert pixels(after, classes, classless=classless) == pixels(before, CLASSES, classless=classless)


@pytest.mark.parametrize(
    ("one", "polygons"),
    [
        pytest.param(one, polygons, id=f"{one.name}-{'polygons' if polygons else 'exact'}")
        for one in EXACT
        for polygons in (False, True)
        if one.name not in SEMANTIC and (one.has_polygons or not polygons)
    ],
)
def test_that_holes_parts_and_borders_come_back_pixel_for_pixel(
    one: Format, polygons: bool, tmp_path: Path
) -> None:
    first, second = image("a.png", instances(fitting(one))), image("sub/b.png", instances(fitting(one)[:2]))
    export = write(one, [first, second], tmp_path / "out", polygons=polygons)
    assert not export.losses.pixels
    found, reading = read(one, tmp_path / "out", [first, second])
    for before in (first, second):
        assert_same(one, before.instances, found[before.name].instances, reading.classes.all)


@pytest.mark.parametrize("one", [f for f in EXACT if f.name not in SEMANTIC], ids=ids)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_that_any_masks_come_back_pixel_for_pixel(
    one: Format, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    found = data.draw(masks(overlap=Holds.OVERLAP in one.holds))
    polygons = one.has_polygons and data.draw(st.booleans())
    folder = tmp_path_factory.mktemp("trip")
    before = image("a.png", instances(found))
    export = write(one, [before], folder / "out", polygons=polygons)
    assert not export.losses.pixels
    if not found and Holds.NEGATIVES not in one.holds:
        return
    after, reading = read(one, folder / "out", [before])
    assert_same(one, before.instances, after["a.png"].instances, reading.classes.all)


@pytest.mark.parametrize("one", [f for f in EXACT if Holds.OVERLAP not in f.holds], ids=ids)
def test_that_overlaps_which_cannot_be_held_are_counted(one: Format, tmp_path: Path) -> None:
    export = write(one, [image("a.png", instances(difficult()))], tmp_path / "out")
    assert sum(export.losses.pixels.values()) > 0
    assert "cannot hold everything" in export.losses.sentence(one.title)


@pytest.mark.parametrize("one", BOTH, ids=ids)
def test_that_its_own_files_are_recognised_as_its_own(one: Format, tmp_path: Path) -> None:
    write(one, [image("a.png", instances(apart())), image("sub/b.png")], tmp_path / "out")
    assert recognise(Source(tmp_path / "out")).name == one.name


@pytest.mark.parametrize("one", [f for f in BOTH if Holds.NEGATIVES in f.holds], ids=ids)
def test_that_an_image_which_holds_nothing_stays_one(one: Format, tmp_path: Path) -> None:
    images = [image("a.png", instances(apart()[:1])), image("b.png")]
    write(one, images, tmp_path / "out")
    found, _ = read(one, tmp_path / "out", images)
    assert found["b.png"].instances == ()


@pytest.mark.parametrize("one", [f for f in BOTH if Holds.IDS in f.holds], ids=ids)
def test_that_ids_travel_where_the_format_has_them(one: Format, tmp_path: Path) -> None:
    before = image("a.png", instances(apart()))
    write(one, [before], tmp_path / "out")
    found, _ = read(one, tmp_path / "out", [before])
    assert {i.id for i in found["a.png"].instances} == {i.id for i in before.instances}


@pytest.mark.parametrize("one", BOTH, ids=ids)
def test_that_a_split_keeps_every_image_in_its_part(one: Format, tmp_path: Path) -> None:
    train = [image("a.png", instances(apart()[:2])), image("b.png", instances(apart()[1:3]))]
    val = [image("c.png", instances(apart()[:1]))]
    write(one, [], tmp_path / "out", parts={"train": train, "val": val})
    written = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")]
    assert any("train" in name for name in written)
    assert any("val" in name for name in written)


def test_that_a_format_has_one_name() -> None:
    with pytest.raises(ValueError, match="already"):
        register(type(format_named("coco")))
    with pytest.raises(DataError, match="no format called 'docx'"):
        format_named("docx")


def test_that_a_file_of_no_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="of no format that is known"):
        recognise(Source(tmp_path / "notes.json"))
