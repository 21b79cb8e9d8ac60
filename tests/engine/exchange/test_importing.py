"""Imports: everything is read first, said, and taken in at once or not at all."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.document.diff import Diff
from engine.document.records import Provenance, ReviewState
from engine.errors import DataError
from engine.exchange.importing import Summary, folder_of_pictures, locate, prepare
from engine.formats.reading import CanceledError
from engine.formats.registry import format_named
from engine.formats.source import Source
from engine.project import Project
from engine.project.bulk import Imported
from tests.engine.exchange.making import annotation, coco, pictures, saved


def take(project: Project, file: Path, *, reviewed: bool = True) -> Imported:
    project.refresh()
    with prepare(file, project=project) as prepared:
        return prepared.commit(project, reviewed=reviewed)


def look(file: Path, images: Path) -> Summary:
    with prepare(file, images=images) as prepared:
        return prepared.summary


def test_that_an_import_brings_masks_classes_ids_and_the_review(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7), annotation(9)]))
    with Project.open(folder) as project:
        done = take(project, file)
        assert (done.images, done.instances) == (2, 2)
        first, second = sorted(project.media(), key=lambda item: item.path)
        found = project.load(first.id).instances
        assert [(one.id, one.mask.area if one.mask else 0, one.provenance) for one in found] == [
            (7, 16, Provenance.IMPORTED),
            (9, 16, Provenance.IMPORTED),
        ]
        assert [known.name for known in project.classes()] == ["cell"]
        assert project.review_state(second.id) is ReviewState.REVIEWED
        assert project.load(second.id).instances == ()
        assert project.survey().use.instances == 2
        assert (first.width, first.height) == (30, 20)


def test_that_a_second_import_adds_nothing(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7)]))
    with Project.open(folder) as project:
        take(project, file, reviewed=False)
        again = take(project, file, reviewed=False)
        assert (again.instances, again.already_there) == (0, 1)
        reviewed = take(project, file)
        assert reviewed.kept == 0
        left_alone = take(project, file)
        assert left_alone.kept == 2


def test_that_an_import_can_be_undone_but_for_what_a_person_changed(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7), annotation(9), annotation(11, 2)]))
    with Project.open(folder) as project:
        project.refresh()
        with prepare(file, project=project) as prepared:
            prepared.commit(project, reviewed=True, batch_id="import x")
        first, second = (item.id for item in sorted(project.media(), key=lambda item: item.path))
        document = project.load(first)
        with document.edit("Attributes"):
            document.replace(replace(document.instance(9), attributes=(("a", "b"),)))
        before = project.load(first).records
        project.save(first, Diff.between(before, document.records), name="Attributes").result()
        assert project.undo_import("import x") == 2
        assert [one.id for one in project.load(first).instances] == [9]
        assert project.load(second).instances == ()
        assert project.review_state(second) is ReviewState.UNLABELLED
        assert project.review_state(first) is ReviewState.REVIEWED
        assert project.undo_import("import x") == 0


def test_that_nothing_is_taken_in_where_the_import_fails_in_the_middle(tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(8)]
    folder = pictures(tmp_path / "p", names)
    file = saved(folder / "labels.json", coco(names, [annotation(n, n) for n in range(1, 9)]))

    def stop(done: int) -> None:
        if done == 5:
            raise CanceledError("stopped")

    with Project.open(folder) as project:
        project.refresh()
        with prepare(file, project=project) as prepared, pytest.raises(CanceledError):
            prepared.commit(project, reviewed=True, told=stop)
        assert project.survey().use.instances == 0
        assert project.classes() == ()
        assert project.image_states() == {}
        take(project, file)
        assert project.survey().use.instances == 8


def test_that_a_look_changes_nothing(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7)]))
    summary = look(file, folder)
    assert (summary.instances, summary.images, summary.negatives) == (1, 2, 1)
    assert summary.new_classes == ("cell",)
    assert not (folder / ".maskwright").exists()


def test_that_faults_are_all_told_and_the_rest_can_be_taken(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p")
    data = coco(
        ["a.png", "b.png", "gone.png", "../up.png", "/etc/passwd.png", "\\\\host\\share\\a.png", "C:\\a.png"],
        [annotation(1), annotation(2, segmentation=[[1, 2, 3, 4]]), annotation(3, image_id=99)],
    )
    data["images"][1]["width"] = 31
    summary = look(saved(folder / "labels.json", data), folder)
    assert (summary.images, summary.instances) == (1, 1)
    assert summary.missing == ["gone.png"]
    assert len(summary.other_size) == 1
    assert "is 31 x 20, but the picture is 30 x 20" in summary.other_size[0]
    said = "\n".join(summary.problems)
    assert summary.problem_count == 6  # four names and two annotations
    assert said.count("outside the folder") == 1
    assert said.count("absolute path") == 3
    assert "annotation 2" in said
    assert "image 99" in said


def test_that_a_picture_that_a_link_leads_to_outside_is_not_found(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p")
    outside = saved(tmp_path / "elsewhere" / "labels.json", coco(annotations=[annotation(7)]))
    (folder / "labels.json").symlink_to(outside)
    with pytest.raises(DataError, match="leads out of"):
        Source(folder).read_bytes("labels.json")


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, '{"images": [' + "[" * 100_000, "\xff",
     '{"images": [], "images": [], "annotations": []}',
     '{"images":[{"id":1,"id":2,"file_name":"a.png","width":3,"height":3}],"categories":[],"annotations":[]}',
     '{"images":[],"categories":[{"id":1,"name":"a"},{"id":2,"name":"a"}],"annotations":[]}'],
    ids=["empty", "deep", "deep inside", "no text", "keys twice", "keys twice inside", "classes twice"],
)  # fmt: skip
def test_that_a_file_that_is_wrong_as_a_whole_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    folder = pictures(tmp_path / "p")
    file = folder / "labels.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"labels\.json"):
        prepare(file, images=folder, format_name="coco")


def test_that_what_coco_alone_knows_survives_the_project(tmp_path: Path) -> None:
    from engine.exchange.exporting import ExportOptions, export

    folder = pictures(tmp_path / "p")
    data = coco(
        annotations=[annotation(7, mine={"x": [1, None]}, attributes={"colour": "red"}, track_id=4)],
        info={"year": 2020, "über": "ß"},
        licenses=[{"id": 1}],
    )
    data["images"][0] |= {"license": 1, "date_captured": "today", "id": 44}
    data["annotations"][0]["image_id"] = 44
    file = saved(folder / "labels.json", data)
    with Project.open(folder) as project:
        take(project, file)
        export(project, ExportOptions("coco", tmp_path / "out", polygons=True))
    after = json.loads((tmp_path / "out" / "annotations.json").read_text(encoding="utf-8"))
    for key in ("info", "licenses", "categories"):
        assert after[key] == data[key]
    assert sorted(after["images"], key=lambda i: i["file_name"]) == data["images"]
    assert after["annotations"] == data["annotations"]


def test_that_the_pictures_are_found_in_the_usual_places(tmp_path: Path) -> None:
    pictures(tmp_path / "set" / "images" / "train")
    file = saved(tmp_path / "set" / "annotations" / "instances_train.json", coco(["train/a.png"]))
    one = format_named("coco")
    assert folder_of_pictures(Source(file), one) == (tmp_path / "set" / "images").resolve()
    pictures(tmp_path / "flat")
    beside = saved(tmp_path / "flat" / "labels.json", coco())
    assert locate(beside)[2] == (tmp_path / "flat").resolve()
    with Project.open(tmp_path / "set") as project:
        project.refresh()
    assert folder_of_pictures(Source(file), one) == (tmp_path / "set").resolve()


def test_that_a_full_disk_takes_nothing_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7)]))
    from engine.project import facts

    def full(*_of: Any, **_more: Any) -> None:
        raise sqlite3.IntegrityError("as if the disk were full")

    with Project.open(folder) as project:
        project.refresh()
        with prepare(file, project=project) as prepared:
            with monkeypatch.context() as patch:
                patch.setattr(facts, "add_first", full)
                with pytest.raises(Exception, match="full"):
                    prepared.commit(project, reviewed=True)
            assert project.survey().use.instances == 0
            assert project.classes() == ()
            prepared.commit(project, reviewed=True)
        assert project.survey().use.instances == 1
