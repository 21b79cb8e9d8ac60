"""Labels beside the pictures: what a person edited and no more, nobody else's file, no half of one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.document.diff import Diff
from engine.document.masks import Mask
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, ReviewState, new_id
from engine.exchange import mirroring
from engine.exchange.importing import prepare
from engine.exchange.mirror import WHOLE, MirrorKind, Outcome, Pass, choose_mirror, file_names, mirror_kind
from engine.exchange.mirroring import Mirroring
from engine.project import Project
from tests.engine.exchange.making import pictures

NAMES = ("a.png", "b.jpg", "b.png", "sub/c.png")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.open(pictures(tmp_path / "p", NAMES)) as made:
        made.refresh()
        yield made


def media(project: Project, name: str) -> int:
    return next(item.id for item in project.media() if item.path == name)


def draw(project: Project, name: str, x: int = 3) -> Instance:
    """A square on an image, saved."""
    one = Instance(new_id(), project.ensure_class("cell").id, Mask.from_crop(x, 2, np.ones((4, 5))))
    project.save(media(project, name), Diff({one.id: one}), name="Draw").result()
    return one


def files(project: Project) -> dict[str, bytes]:
    return {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for path in sorted(project.folder.rglob("*.json*"))
        if ".maskwright" not in path.parts
    }


def refused(_self: Path, _target: Path) -> None:
    raise OSError(28, "No space left on device", "a.json")


def kept(project: Project, kind: MirrorKind = MirrorKind.LABELME) -> Outcome:
    choose_mirror(project, kind)
    return Pass(project).run()


def test_that_nothing_is_written_unless_it_is_chosen(project: Project) -> None:
    draw(project, "a.png")
    assert Pass(project).run() == Outcome()
    assert files(project) == {}
    assert mirror_kind(project) is MirrorKind.OFF


def test_that_each_labelled_image_has_its_labelme_file_and_only_an_edit_changes_it(project: Project) -> None:
    for name in ("a.png", "sub/c.png"):
        draw(project, name)
    assert kept(project).written == 2
    before = files(project)
    assert list(before) == ["a.json", "sub/c.json"]
    data = json.loads(before["sub/c.json"])
    assert (data["imagePath"], data["imageData"], len(data["shapes"])) == ("c.png", None, 1)
    assert Pass(project).run() == Outcome()
    draw(project, "a.png", x=9)
    assert Pass(project).run().written == 1
    assert files(project)["sub/c.json"] == before["sub/c.json"]
    assert len(json.loads(files(project)["a.json"])["shapes"]) == 2
    project.undo(media(project, "a.png"))
    Pass(project).run()
    assert files(project) == before


def test_that_pictures_of_one_stem_have_files_of_their_own(project: Project) -> None:
    draw(project, "b.jpg")
    kept(project)
    assert list(files(project)) == ["b.jpg.json"]
    assert file_names(project.media())[media(project, "a.png")] == "a.json"


def test_that_a_renamed_class_is_renamed_in_every_file(project: Project) -> None:
    draw(project, "a.png")
    kept(project)
    project.rename_class(project.classes()[0].id, "nut")
    assert Pass(project).run().written == 1
    assert json.loads(files(project)["a.json"])["shapes"][0]["label"] == "nut"


def test_that_an_image_that_is_labelled_no_more_has_no_file(project: Project) -> None:
    one = draw(project, "a.png")
    kept(project)
    project.save(media(project, "a.png"), Diff(removed={one.id: one}), name="Delete").result()
    assert Pass(project).run().removed == 1
    assert files(project) == {}
    state = ImageState(ReviewState.REVIEWED)
    accepted = Diff(updated={IMAGE_STATE_ID: (ImageState(), state)})
    project.save(media(project, "a.png"), accepted, name="Accept").result()
    Pass(project).run()
    assert json.loads(files(project)["a.json"])["shapes"] == []


def test_that_one_coco_file_has_a_line_for_each_edit(project: Project) -> None:
    for name in ("a.png", "sub/c.png"):
        draw(project, name)
    assert kept(project, MirrorKind.COCO).written == 1
    before = files(project)[WHOLE].splitlines()
    assert Pass(project).run().written == 0
    draw(project, "b.png")  # between the two in order
    assert Pass(project).run().written == 1
    after = files(project)[WHOLE].splitlines()
    assert len(after) == len(before) + 2
    assert set(before) <= set(after)


def test_that_a_file_of_another_is_left_alone_until_a_person_says(project: Project) -> None:
    draw(project, "a.png")
    (project.folder / "a.json").write_text('{"mine": 1}')
    outcome = kept(project)
    assert outcome.conflicts == ("a.json",)
    assert "left alone (a.json)" in outcome.sentence
    assert files(project)["a.json"] == b'{"mine": 1}'
    assert Pass(project).run().conflicts == ("a.json",)  # asked again until it is settled
    assert Pass(project, {"a.json"}).run().written == 1
    assert b"shapes" in files(project)["a.json"]


def test_that_a_change_from_outside_is_not_written_over(project: Project) -> None:
    draw(project, "a.png")
    kept(project)
    file = project.folder / "a.json"
    file.write_bytes(file.read_bytes() + b" ")
    draw(project, "a.png", x=12)
    assert Pass(project).run().conflicts == ("a.json",)
    assert file.read_bytes().endswith(b" ")
    file.unlink()  # taken away, it comes back with the next pass
    assert Pass(project).run().written == 1


def test_that_a_link_is_anothers_file(project: Project, tmp_path: Path) -> None:
    draw(project, "a.png")
    outside = tmp_path / "outside.json"
    outside.write_text("{}")
    (project.folder / "a.json").symlink_to(outside)
    assert kept(project).conflicts == ("a.json",)
    assert outside.read_text() == "{}"


def test_that_a_crash_between_the_note_and_the_file_makes_no_strangers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(project, "a.png")
    kept(project)
    before = files(project)

    draw(project, "a.png", x=9)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refused)
        said = Pass(project).run().sentence
    assert "No space left" in said
    assert "tried again" in said
    assert files(project) == before
    draw(project, "a.png", x=15)
    assert Pass(project).run() == Outcome(written=1)


def test_that_what_the_disk_refused_is_written_by_the_next_pass(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(project, "a.png")
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "replace", lambda *_of: (_ for _ in ()).throw(OSError(13, "Permission denied", "x"))
        )
        assert kept(project).problem
    assert Pass(project).run().written == 1


def test_that_an_import_of_the_mirror_adds_nothing_new(project: Project) -> None:
    draw(project, "a.png")
    kept(project)
    with prepare(project.folder, project=project) as prepared:
        assert prepared.summary.format == "labelme"
        assert prepared.summary.instances == 1


def test_that_the_thread_follows_commits_and_gathers_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "PAUSE_S", 0.05)
    choose_mirror(project, MirrorKind.LABELME)
    told, outcomes = threading.Event(), list[Outcome]()

    def hear(outcome: Outcome) -> None:
        outcomes.append(outcome)
        told.set()

    mirror = Mirroring(project, hear)
    try:
        for x in range(1, 9):
            draw(project, "a.png", x=x)
        assert told.wait(20)
        until(lambda: len(json.loads(files(project).get("a.json", b'{"shapes": []}'))["shapes"]) == 8)
        (project.folder / "b.png.json").write_text("{}")
        draw(project, "b.png")
        until(lambda: any(one.conflicts for one in outcomes))
        mirror.overwrite(frozenset({"b.png.json"}))
        until(lambda: b"shapes" in files(project)["b.png.json"])
    finally:
        mirror.close()
    assert not any(thread.name == "mirror" for thread in threading.enumerate())
    draw(project, "a.png")  # nobody listens any more
    assert all(outcome.written <= 2 for outcome in outcomes)


def until(is_so: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(400):
        if is_so():
            return
        done.wait(0.05)
    raise AssertionError("it did not come about")


def test_that_an_end_that_comes_just_before_a_pass_is_not_slept_through(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "PAUSE_S", 0.0)
    clear = threading.Event.clear
    mirror = Mirroring(project, lambda _outcome: None)

    def late(event: threading.Event) -> None:
        mirror.stop()  # as if it were called at that moment
        clear(event)

    monkeypatch.setattr(mirror._wake, "clear", lambda: late(mirror._wake))
    mirror._wake.set()
    mirror._thread.join(10)
    assert not mirror._thread.is_alive()
