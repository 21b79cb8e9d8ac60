"""One project into another: pictures known by their content, what is there stays, taken back as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.document.diff import Diff
from engine.document.document import Document
from engine.document.masks import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance, Provenance, ReviewState, new_id
from engine.errors import DataError, MaskwrightError
from engine.exchange.merging import prepare_merge
from engine.formats.reading import CanceledError
from engine.project import Project
from engine.project.bulk import Imported
from main import main

Change = Callable[[Document], None]


def picture(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30, 3), shade, np.uint8))


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        picture(tmp_path / "ours" / name, 50 + number)
    return tmp_path / "ours"


@pytest.fixture
def theirs(tmp_path: Path, ours: Path) -> Path:
    """The same pictures under other names, and one more."""
    folder = tmp_path / "theirs"
    for name, to in (("a.png", "1.png"), ("b.png", "x/b.png"), ("c.png", "c.png")):
        (folder / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ours / name, folder / to)
    picture(folder / "d.png", 90)
    return folder


def square(x: int = 3) -> Mask:
    return Mask.from_crop(x, 4, np.ones((5, 6), np.bool_))


def drawn(class_id: int, x: int = 3, **more: object) -> Instance:
    return replace(Instance(new_id(), class_id, square(x)), **more)  # type: ignore[arg-type]


def edit(project: Project, path: str, change: Change) -> None:
    """As a person at the window would."""
    (media_id,) = (item.id for item in project.media() if item.path == path)
    document = project.load(media_id)
    before = dict(document.records)
    with document.edit("Edit"):
        change(document)
    project.save(media_id, Diff.between(before, document.records), name="Edit").result()
    project.ensure_hash(media_id)


def review(document: Document) -> None:
    document.accept_image([one.id for one in document.instances])


def nothing(_document: Document) -> None:
    pass


def adds(record: Instance | IgnoreRegion, then: Change = nothing) -> Change:
    def change(document: Document) -> None:
        document.add(record)
        then(document)

    return change


def loaded(project: Project, path: str) -> Document:
    return project.load(next(item.id for item in project.media() if item.path == path))


def opened(folder: Path) -> Project:
    project = Project.open(folder)
    project.refresh()
    return project


def merged(project: Project, other: Path, *, copies: bool = True, batch_id: str = "") -> Imported:
    with prepare_merge(other, project) as prepared:
        prepared.copies_pictures = copies
        return prepared.commit(project, batch_id=batch_id)


def test_that_labels_find_their_pictures_by_content_with_all_that_is_known_of_them(
    ours: Path, theirs: Path
) -> None:
    with opened(theirs) as other:
        (nut,) = other.add_classes([ClassDef(0, "nut", "#123456")])
        one = drawn(nut.id, attributes=(("side", "left"),), provenance=Provenance.CORRECTED)
        edit(other, "1.png", adds(one, then=review))
        edit(other, "x/b.png", adds(IgnoreRegion(new_id(), square())))
        edit(other, "x/b.png", adds(drawn(nut.id)))
    with opened(ours) as project:
        project.ensure_class("bolt")
        done = merged(project, theirs)
        assert (done.images, done.instances, done.kept) == (2, 2, 0)
        bolt, nut = project.classes()
        assert (bolt.name, nut.name, nut.color) == ("bolt", "nut", "#123456")
        found = loaded(project, "a.png")
        assert found.state.review is ReviewState.REVIEWED
        assert found.instances == (replace(one, class_id=nut.id),)
        beside = loaded(project, "b.png")
        assert beside.state.review is ReviewState.UNLABELLED
        assert len(beside.ignore_regions) == len(beside.instances) == 1
        again = merged(project, theirs)
        assert (again.instances, again.already_there, again.kept) == (0, 1, 1)


def test_that_what_a_person_did_here_stays_and_proposals_give_way_to_a_review(
    ours: Path, theirs: Path
) -> None:
    with opened(theirs) as other:
        nut = other.ensure_class("nut").id
        for path in ("1.png", "x/b.png", "c.png"):
            edit(other, path, adds(drawn(nut, 12), then=review))
    with opened(ours) as project:
        bolt = project.ensure_class("bolt").id
        ids = {item.path: item.id for item in project.media()}
        mine, begun, proposed = drawn(bolt), drawn(bolt), drawn(bolt, provenance=Provenance.PREDICTED)
        edit(project, "a.png", adds(mine, then=review))
        edit(project, "b.png", adds(begun))
        project.put_proposals(ids["c.png"], [proposed], key="k", batch_id="label 1")
        done = merged(project, theirs, batch_id="import x")
        assert (done.images, done.kept) == (2, 1)
        assert loaded(project, "a.png").instances == (mine,)
        both = loaded(project, "b.png")
        assert begun in both.instances
        assert len(both.instances) == 2
        assert both.state.review is not ReviewState.REVIEWED  # somebody has to look at what met there
        taken = loaded(project, "c.png")
        assert [one.provenance for one in taken.instances] == [Provenance.DRAWN]
        assert taken.state.review is ReviewState.REVIEWED
        assert project.undo_import("import x") == 2
        assert loaded(project, "a.png").instances == (mine,)
        assert loaded(project, "b.png").instances == (begun,)
        back = loaded(project, "c.png")
        assert back.instances == (proposed,)
        assert back.state.review is ReviewState.PROPOSED
        assert project.survey().use.instances == 3


def test_that_two_copies_of_one_project_come_together(ours: Path, tmp_path: Path) -> None:
    """Both had the same proposals; each reviewed other images."""
    with opened(ours) as project:
        bolt = project.ensure_class("bolt").id
        for item in project.media():
            found = [drawn(bolt, provenance=Provenance.PREDICTED, score=0.9)]
            project.put_proposals(item.id, found, key="k", batch_id="label 1")
    other_copy = tmp_path / "copy"
    shutil.copytree(ours, other_copy)
    with opened(other_copy) as other:
        edit(other, "a.png", review)
        edit(other, "b.png", lambda document: document.accept(document.instances[0].id))
    with opened(ours) as project:
        edit(project, "c.png", review)
        merged(project, other_copy)
        for path in ("a.png", "b.png", "c.png"):
            (only,) = loaded(project, path).instances
            assert only.provenance is Provenance.ACCEPTED
        assert loaded(project, "a.png").state.review is ReviewState.REVIEWED
        assert loaded(project, "b.png").state.review is ReviewState.PROPOSED
        assert project.survey().use.instances == 3


def test_that_pictures_that_are_not_here_come_along_where_wanted_and_none_is_written_over(
    ours: Path, theirs: Path
) -> None:
    with opened(theirs) as other:
        edit(other, "d.png", adds(drawn(other.ensure_class("nut").id)))
    picture(ours / "theirs" / "d.png", 10)
    before = (ours / "theirs" / "d.png").read_bytes()
    with opened(ours) as project:
        with prepare_merge(theirs, project) as prepared:
            assert prepared.summary.copies == 1
            assert any("can be copied" in line for line in prepared.summary.lines())
        assert merged(project, theirs, copies=False).images == 0
        assert merged(project, theirs).instances == 1
        assert len(loaded(project, "theirs/d 2.png").instances) == 1
    assert (ours / "theirs" / "d.png").read_bytes() == before
    assert (ours / "theirs" / "d 2.png").read_bytes() == (theirs / "d.png").read_bytes()


def test_that_a_merge_that_fails_leaves_project_and_folder_as_they_were(ours: Path, theirs: Path) -> None:
    with opened(theirs) as other:
        nut = other.ensure_class("nut").id
        edit(other, "d.png", adds(drawn(nut)))

    def stop(done: int) -> None:
        if done:
            raise CanceledError("stopped")

    with opened(ours) as project:
        with prepare_merge(theirs, project) as prepared, pytest.raises(CanceledError):
            prepared.commit(project, told=stop)
        assert project.classes() == ()
        assert project.survey().use.instances == 0
    assert not list((ours / "theirs").glob("*.png"))


def test_that_a_copy_in_a_file_brings_lost_labels_back(ours: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "of monday.db"
    copy.parent.mkdir()
    with opened(ours) as project:
        edit(project, "a.png", adds(drawn(project.ensure_class("nut").id)))
        project.backup_to(copy)
    shutil.rmtree(ours / ".maskwright")
    with opened(ours) as project:
        assert merged(project, copy).instances == 1
        assert len(loaded(project, "a.png").instances) == 1
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize("what", ["itself", "no project", "no copy", "other database"])
def test_that_what_is_no_other_project_is_told(ours: Path, tmp_path: Path, what: str) -> None:
    import sqlite3

    other = tmp_path / "other"
    with opened(ours) as project:
        if what == "itself":
            other = ours / ".maskwright" / "project.db"
        elif what == "no project":
            other.mkdir()
        elif what == "no copy":
            other.write_text("notes", encoding="utf-8")
        else:
            sqlite3.connect(other).execute("CREATE TABLE t (a)").connection.close()
        with pytest.raises(MaskwrightError, match=r"other|ours") as caught:
            prepare_merge(other, project)
        assert "\n" not in str(caught.value)


def test_that_the_command_line_merges_and_looks_first(
    ours: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(theirs) as other:
        edit(other, "1.png", adds(drawn(other.ensure_class("nut").id)))
    assert main(["merge", str(ours), str(theirs), "--dry-run"]) == 0
    with opened(ours) as project:
        assert project.survey().use.instances == 0
    assert main(["merge", str(ours), str(theirs), "--json"]) == 0
    assert '"instances": 1' in capsys.readouterr().out
    with opened(ours) as project:
        assert project.survey().use.instances == 1
        with pytest.raises(DataError, match="very project"):
            prepare_merge(ours, project)
