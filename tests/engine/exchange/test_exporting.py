"""Exports: what is left out, refused and split, and that nothing stands half-written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.document.diff import Diff
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, ReviewState, new_id
from engine.errors import DataError
from engine.exchange.exporting import ExportOptions, Which, export
from engine.exchange.splitting import group_of, parse_shares, split
from engine.formats.reading import CanceledError
from engine.project import Project
from tests.engine.exchange.making import pictures
from tests.engine.formats.making import apart, difficult
from tests.engine.project.making import adding, proposal


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Three pictures: a with drawn instances, b with a proposal alone, c reviewed and empty."""
    folder = pictures(tmp_path / "p", ["a.png", "b.png", "c.png", "d.png"])
    with Project.open(folder) as opened:
        opened.refresh()
        a, b, c, _ = (item.id for item in sorted(opened.media(), key=lambda item: item.path))
        cell, wall = opened.ensure_class("cell"), opened.ensure_class("wall")
        masks = difficult()[:3]
        drawn = [Instance(new_id(), (cell, wall)[n % 2].id, mask, z=n) for n, mask in enumerate(masks)]
        opened.save(a, adding(*drawn), name="Draw").result()
        opened.put_proposals(b, [proposal(cell.id)], key="k", batch_id="x")
        reviewed = ImageState(ReviewState.REVIEWED)
        opened.save(c, Diff(updated={IMAGE_STATE_ID: (ImageState(), reviewed)}), name="Review").result()
        yield opened


def written(out: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((out / "annotations.json").read_text())
    return data


def test_that_proposals_and_unlabelled_images_are_left_out_unless_asked_for(
    project: Project, tmp_path: Path
) -> None:
    report = export(project, ExportOptions("coco", tmp_path / "out"))
    assert (report.images, report.instances) == (2, 3)
    assert {i["file_name"] for i in written(tmp_path / "out")["images"]} == {"a.png", "c.png"}
    report = export(project, ExportOptions("coco", tmp_path / "more", proposals=True))
    assert (report.images, report.instances) == (3, 4)
    report = export(project, ExportOptions("coco", tmp_path / "good", proposals=True, threshold=0.6))
    assert (report.instances, report.proposals_left_out) == (3, 1)
    report = export(project, ExportOptions("coco", tmp_path / "all", which=Which.ALL))
    assert report.images == 4
    report = export(project, ExportOptions("coco", tmp_path / "rev", which=Which.REVIEWED))
    assert report.images == 1


def test_that_classes_can_be_chosen_and_have_small_numbers(project: Project, tmp_path: Path) -> None:
    report = export(project, ExportOptions("coco", tmp_path / "out", classes=("wall",)))
    assert report.instances == 1
    assert [(c["id"], c["name"]) for c in written(tmp_path / "out")["categories"]] == [(1, "wall")]
    with pytest.raises(DataError, match="no class called 'roof'"):
        export(project, ExportOptions("coco", tmp_path / "no", classes=("roof",)))


def test_that_a_folder_in_use_is_left_alone(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "annotations.json").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        export(project, ExportOptions("coco", out))
    assert (out / "annotations.json").read_text() == "mine"
    export(project, ExportOptions("coco", out, overwrite=True))
    assert written(out)["annotations"]
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


def test_that_a_stopped_export_leaves_nothing(project: Project, tmp_path: Path) -> None:
    with pytest.raises(CanceledError):
        export(project, ExportOptions("coco", tmp_path / "out"), is_canceled=lambda: True)
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["p"]


def test_that_pictures_are_copied_only_where_asked_and_never_written(
    project: Project, tmp_path: Path
) -> None:
    before = {p: p.read_bytes() for p in project.folder.glob("*.png")}
    export(project, ExportOptions("coco", tmp_path / "out", copy_pictures=True))
    assert (tmp_path / "out" / "images" / "a.png").read_bytes() == before[project.folder / "a.png"]
    assert not (tmp_path / "out" / "images" / "d.png").exists()
    with pytest.raises(DataError, match="is a picture of the project"):
        export(project, ExportOptions("labelme", project.folder, copy_pictures=True, overwrite=True))
    assert {p: p.read_bytes() for p in project.folder.glob("*.png")} == before


def test_that_parts_are_files_of_their_own(project: Project, tmp_path: Path) -> None:
    shares = parse_shares("train=50,val=50")
    report = export(project, ExportOptions("coco", tmp_path / "out", shares=shares, which=Which.ALL))
    assert report.parts == {"train": 2, "val": 2}
    names = [
        image["file_name"]
        for part in ("train", "val")
        for image in json.loads((tmp_path / "out" / "annotations" / f"instances_{part}.json").read_text())[
            "images"
        ]
    ]
    assert sorted(names) == ["a.png", "b.png", "c.png", "d.png"]


def test_that_a_split_is_by_class_by_group_and_by_its_seed() -> None:
    shares = parse_shares("train=8, val=1, test=1")
    classes = {f"clip{n // 10}/{n}.png": [0] if n % 20 else [0, 1] for n in range(400)}
    placed = split(classes, shares, seed=3)
    assert placed == split(dict(reversed(classes.items())), shares, seed=3)
    assert placed != split(classes, shares, seed=4)
    of_rare = Counter(placed[name] for name, held in classes.items() if 1 in held)
    assert of_rare == {"train": 16, "val": 2, "test": 2}
    assert Counter(placed.values()) == {"train": 320, "val": 40, "test": 40}
    grouped = split(classes, shares, seed=3, group_rule="folder")
    parts: dict[str, set[str]] = {name.split("/")[0]: set() for name in classes}
    for name, part in grouped.items():
        parts[name.split("/")[0]].add(part)
    assert all(len(found) == 1 for found in parts.values())


def test_that_frames_of_one_file_and_matches_of_a_rule_stay_together() -> None:
    shares = parse_shares("a=1,b=1")
    placed = split({f"v.mp4#{n}": [] for n in range(10)} | {"w.png": []}, shares, seed=0)
    assert len({placed[f"v.mp4#{n}"] for n in range(10)}) == 1
    assert group_of("day3_cam1_17.png", r"day\d+") == "day3"
    assert group_of("day3_cam1_17.png", r"_(cam\d+)_") == "cam1"
    with pytest.raises(DataError, match="no regular expression"):
        group_of("x", "(")


@pytest.mark.parametrize("text", ["", "train", "train=0", "train=1,train=2", "../x=1", "train=x"])
def test_that_a_wrong_split_is_told(text: str) -> None:
    with pytest.raises(DataError, match="write it as"):
        parse_shares(text)


def test_that_apart_masks_do_not_overlap() -> None:
    total = np.sum([mask.to_full(20, 30) for mask in apart()], axis=0)
    assert int(total.max()) == 1
