"""`measure`: a table of what the project holds, in pixels or units, and a summary an image."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.document.diff import Diff
from engine.document.masks import Mask
from engine.document.records import (
    IMAGE_STATE_ID,
    ImageState,
    Instance,
    Provenance,
    ReviewState,
    new_id,
)
from engine.measure.project import Scales, keep_scale
from engine.measure.scale import Scale
from engine.project import Project
from main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A 16-bit picture with two cells and a proposal, a reviewed empty one, and one that nobody looked at."""
    place = tmp_path / "plate"
    place.mkdir()
    deep = np.full((30, 40), 500, np.uint16)
    deep[5:15, 5:15] = 3000
    Image.fromarray(deep).save(place / "a.tif")
    for name in ("b.png", "c.png"):
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(place / name)
    with Project.open(place) as project:
        project.refresh()
        a, b, _ = project.media()
        cell, dirt = project.ensure_class("cell"), project.ensure_class("dirt")
        drawn = [
            Instance(new_id(), cell.id, Mask.from_crop(5, 5, np.ones((10, 10)))),
            Instance(new_id(), cell.id, Mask.from_crop(10, 5, np.ones((10, 10)))),
            Instance(
                new_id(), dirt.id, Mask.from_crop(30, 20, np.ones((2, 4))), score=0.6,
                provenance=Provenance.PREDICTED,
            ),
        ]  # fmt: skip
        state = ImageState(review=ReviewState.PROPOSED)
        project.save(a.id, Diff(added={IMAGE_STATE_ID: state, **{one.id: one for one in drawn}}), name="x")
        reviewed = ImageState(review=ReviewState.REVIEWED)
        project.save(b.id, Diff(added={IMAGE_STATE_ID: reviewed}), name="y").result()
    return place


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def measure(*arguments: object) -> int:
    return main(["measure", *map(str, arguments)])


def test_that_every_instance_has_its_line_and_every_image_its_summary(folder: Path, tmp_path: Path) -> None:
    out, images = tmp_path / "out.csv", tmp_path / "images.csv"
    assert measure(folder, "--out", out, "--images", images) == 0
    first, second, dirt = sorted(table(out), key=lambda row: float(row["centroid_x_px"]))
    assert [row["class"] for row in (first, second, dirt)] == ["cell", "cell", "dirt"]
    assert (first["image"], first["area"], first["unit"], first["pixel_size"]) == ("a.tif", "100", "px", "1")
    assert (first["perimeter"], first["mean_intensity"]) == ("36", "3000")
    assert (second["mean_intensity"], dirt["mean_intensity"]) == ("1750", "500")
    assert (dirt["provenance"], dirt["score"], dirt["orientation_deg"]) == ("predicted", "0.6", "0")
    a, b = table(images)
    assert (a["instances"], a["instances of cell"], a["instances of dirt"]) == ("3", "2", "1")
    # The cells overlap by half: what both cover is counted once.
    assert float(a["cover"]) == pytest.approx((150 + 8) / 1200, rel=1e-5)
    assert float(a["cover of cell"]) == pytest.approx(150 / 1200, rel=1e-5)
    assert (b["image"], b["instances"]) == ("b.png", "0")


def test_that_proposals_below_the_threshold_and_unreviewed_images_can_be_left_out(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    assert measure(folder, "--out", out, "--threshold", 0.7) == 0
    assert {row["class"] for row in table(out)} == {"cell"}
    assert measure(folder, "--out", out, "--reviewed") == 0
    assert table(out) == []


def test_that_what_was_drawn_counts_before_anybody_reviews_it(folder: Path, tmp_path: Path) -> None:
    with Project.open(folder) as project:
        item = next(one for one in project.media() if one.path == "c.png")
        drawn = Instance(new_id(), project.classes()[0].id, Mask.from_crop(1, 1, np.ones((3, 3))))
        project.save(item.id, Diff(added={drawn.id: drawn}), name="Draw").result()
    assert measure(folder, "--out", tmp_path / "out.csv", "--no-intensity") == 0
    assert ("c.png", "9") in {(row["image"], row["area"]) for row in table(tmp_path / "out.csv")}


def test_that_a_scale_gives_units_and_stays_when_asked_to(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert measure(folder, "--out", out, "--scale", "0.5 µm", "--keep-scale", "--no-intensity") == 0
    assert measure(folder, "--out", out) == 0
    row = min(table(out), key=lambda row: float(row["centroid_x_px"]))
    assert (row["unit"], row["pixel_size"], row["area"], row["perimeter"]) == ("µm", "0.5", "25", "18")
    assert (row["centroid_x_px"], row["circularity"]) == ("9.5", "0.969627")


def test_that_an_images_own_scale_goes_before_the_projects_and_that_before_the_files(folder: Path) -> None:
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(folder / "d.tif", dpi=(254, 254))
    with Project.open(folder) as project:
        project.refresh()
        item = next(one for one in project.media() if one.path == "d.tif")
        assert Scales(project).of(item).size == pytest.approx(0.1)
        keep_scale(project, Scale(2, "mm"))
        keep_scale(project, Scale(3, "nm"), "d.tif")
        assert Scales(project).of(item) == Scale(3, "nm")
        keep_scale(project, None, "d.tif")
        assert Scales(project).of(item) == Scale(2, "mm")


def test_that_a_picture_that_cannot_be_read_costs_its_intensity_only(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.tif").write_bytes(b"II*\0")
    out = tmp_path / "out.csv"
    assert measure(folder, "--out", out) == 1
    assert "no intensity: a.tif: " in capsys.readouterr().err
    assert sorted((row["area"], row["mean_intensity"]) for row in table(out)) == [("100", "")] * 2 + [
        ("8", "")
    ]


def test_that_a_table_that_cannot_be_written_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert measure(folder, "--out", tmp_path / "taken" / "x.csv") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert measure(folder, "--out", tmp_path / "x.csv", "--scale", "long") == 1
    assert "is no scale" in capsys.readouterr().err
