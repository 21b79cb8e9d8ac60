"""The desk and its saving: opening, going from image to image, edits that survive, disks that refuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.document.records import ClassDef, Instance, ReviewState
from engine.errors import MediaError
from engine.media.picture import Rgb
from engine.project import Project
from engine.project.media_index import ScanReport
from gui.desk import Desk
from gui.editor import Editor
from gui.opening import home_of, move_and_open, restore_and_open
from gui.pictures import Pictures
from gui.saving import Kept
from gui.tools.tool import Pointer
from tests.gui.making import HEIGHT, WIDTH, drawn, folder_of, picture, proposal, stored

Wait = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "pictures")


@pytest.fixture
def desk(application: QApplication) -> Iterator[Desk]:
    made = Desk(Editor())
    yield made
    made.close()


@pytest.fixture
def opened(desk: Desk, folder: Path, wait: Wait) -> Desk:
    desk.open([folder])
    wait(lambda: desk.editor.shown)
    return desk


def a_class(desk: Desk, wait: Wait) -> ClassDef:
    assert desk.project is not None
    made = desk.project.ensure_class("bolt")
    desk.reload_classes()
    wait(lambda: desk.editor.classes)
    return made


def draw(desk: Desk, class_id: int, x: int = 4) -> Instance:
    one = drawn(class_id, x)
    assert desk.editor.shown is not None
    with desk.editor.edit("Draw"):
        desk.editor.shown.document.add(one)
    return one


def shown_path(desk: Desk) -> str:
    return desk.editor.shown.item.path if desk.editor.shown else ""


def ids(desk: Desk) -> set[int]:
    assert desk.editor.document is not None
    return {one.id for one in desk.editor.document.instances}


def is_saved(desk: Desk) -> bool:
    return desk.saving.state.kept is Kept.SAVED


def test_that_a_folder_opens_on_its_first_image(opened: Desk, folder: Path) -> None:
    assert opened.folder == folder
    assert [item.path for item in opened.media] == ["a.png", "b.png", "c.png"]
    assert shown_path(opened) == "a.png"
    assert opened.editor.shown is not None
    assert opened.editor.shown.pixels.shape == (32, 48, 3)


def test_that_images_are_listed_as_people_count(desk: Desk, tmp_path: Path, wait: Wait) -> None:
    desk.open([folder_of(tmp_path / "p", ("img10.png", "img2.png", "Sub/x.png"))])
    wait(lambda: desk.editor.shown)
    assert [item.path for item in desk.media] == ["img2.png", "img10.png", "Sub/x.png"]


def test_that_a_file_opens_its_projects_folder_and_is_shown(desk: Desk, folder: Path, wait: Wait) -> None:
    picture(folder / "sub" / "z.png")
    Project.open(folder).close()
    assert home_of(folder / "sub" / "z.png") == (folder, "sub/z.png")
    desk.open([folder / "sub" / "z.png"])
    wait(lambda: desk.editor.shown)
    assert desk.folder == folder
    assert shown_path(desk) == "sub/z.png"


def test_that_a_folder_that_is_gone_is_told_and_the_open_one_stays(
    opened: Desk, tmp_path: Path, wait: Wait
) -> None:
    told: list[str] = []
    opened.failed.connect(told.append)
    opened.open([tmp_path / "nowhere"])
    wait(lambda: told)
    assert "nowhere" in told[0]
    assert opened.project is not None
    assert shown_path(opened) == "a.png"


def test_that_the_last_of_two_folders_asked_for_wins(desk: Desk, tmp_path: Path, wait: Wait) -> None:
    first, second = (folder_of(tmp_path / name) for name in ("first", "second"))
    desk.open([first])
    desk.open([second])
    wait(lambda: desk.editor.shown)
    assert desk.folder == second
    wait(lambda: not (first / ".maskwright" / "project.lock").read_text())  # the other was let go


def test_that_an_edit_is_on_the_disk_and_the_state_says_when(opened: Desk, folder: Path, wait: Wait) -> None:
    bolt = a_class(opened, wait)
    told: list[Kept] = []
    opened.saving.changed.connect(lambda: told.append(opened.saving.state.kept))
    one = draw(opened, bolt.id)
    assert opened.saving.state.kept is Kept.SAVING
    wait(lambda: is_saved(opened))
    assert told == [Kept.SAVING, Kept.SAVED]
    assert one.id in stored(folder, "a.png")


@pytest.mark.parametrize("route", ["step", "show", "look", "open", "refresh", "leave", "close"])
def test_that_no_way_of_leaving_an_image_loses_an_edit(
    route: str, opened: Desk, folder: Path, tmp_path: Path, wait: Wait
) -> None:
    bolt = a_class(opened, wait)
    one = draw(opened, bolt.id)
    match route:
        case "step":
            opened.step(1)
        case "show":
            opened.show(opened.order[2])
        case "look":
            opened.step_to_look_at(-1)
        case "open":
            opened.open([folder_of(tmp_path / "other")])
            wait(lambda: opened.folder == tmp_path / "other")
        case "refresh":
            opened.refresh()
        case "leave":
            opened.leave()
        case "close":
            opened.close()
    wait(lambda: route == "close" or (opened.editor.shown and is_saved(opened)) or opened.project is None)
    if route in ("step", "show", "look"):
        wait(lambda: shown_path(opened) != "a.png")
        opened.show(opened.order[0])
        wait(lambda: shown_path(opened) == "a.png")
        assert ids(opened) == {one.id}
    wait(lambda: one.id in stored(folder, "a.png"))


def test_that_a_polygon_in_the_making_is_finished_when_the_image_is_left(
    opened: Desk, folder: Path, wait: Wait
) -> None:
    bolt = a_class(opened, wait)
    opened.editor.set_class(bolt.id)
    opened.editor.set_tool("polygon")
    for x, y in ((5, 5), (25, 5), (25, 25), (5, 25)):
        opened.editor.pointer_down(Pointer(x, y, reach=0.5))
        opened.editor.pointer_up(Pointer(x, y, reach=0.5))
    assert opened.editor.tool.is_busy
    opened.step(1)
    wait(lambda: shown_path(opened) == "b.png")
    wait(lambda: is_saved(opened))
    found = [one for one in stored(folder, "a.png").values() if isinstance(one, Instance)]
    assert [one.mask.area for one in found if one.mask] == [400]


def test_that_undo_goes_back_beyond_the_start_of_the_program(opened: Desk, folder: Path, wait: Wait) -> None:
    bolt = a_class(opened, wait)
    first, second = draw(opened, bolt.id, 4), draw(opened, bolt.id, 20)
    wait(lambda: is_saved(opened))
    opened.leave()
    opened.open([folder])
    wait(lambda: opened.editor.shown)
    assert opened.read_only_reason == ""
    assert opened.saving.past.done == ("Draw", "Draw")
    opened.saving.undo()
    wait(lambda: ids(opened) == {first.id})
    opened.saving.undo()
    wait(lambda: not ids(opened))
    wait(lambda: opened.saving.past.undone == ("Draw", "Draw"))
    opened.saving.redo()
    wait(lambda: ids(opened) == {first.id})
    opened.saving.redo()
    wait(lambda: ids(opened) == {first.id, second.id})
    assert opened.editor.selection == (second.id,)


def test_that_many_undos_in_a_row_keep_window_and_disk_together(
    opened: Desk, folder: Path, wait: Wait
) -> None:
    bolt = a_class(opened, wait)
    for x in range(2, 30, 4):
        draw(opened, bolt.id, x)
    for _ in range(5):
        opened.saving.undo()
    late = draw(opened, bolt.id, 40)
    wait(lambda: is_saved(opened) and len(ids(opened)) == 3 and not opened.saving.past.undone)
    assert late.id in ids(opened)
    assert {key for key in stored(folder, "a.png") if key} == ids(opened)
    assert opened.saving.past.done == ("Draw",) * 3


def test_that_a_disk_that_refuses_keeps_the_edit_and_says_so_until_it_is_written(
    opened: Desk, folder: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    bolt = a_class(opened, wait)
    refuse(opened, monkeypatch)
    told: list[str] = []
    opened.failed.connect(told.append)
    one = draw(opened, bolt.id)
    wait(lambda: opened.saving.state.kept is Kept.FAILED)
    assert opened.saving.state.waiting == 1
    assert "full" in opened.unsaved_problem
    wait(lambda: told)
    opened.saving.retry()
    another = draw(opened, bolt.id, 20)
    wait(lambda: opened.saving.state.waiting == 2)
    assert opened.saving.state.kept is Kept.FAILED
    opened.step(1)
    wait(lambda: shown_path(opened) == "b.png")
    assert opened.saving.state.kept is Kept.FAILED, "another image does not make it saved"
    assert not opened.open([folder.parent]), "no other folder is opened over unsaved edits"
    monkeypatch.undo()
    opened.saving.retry()
    wait(lambda: is_saved(opened))
    assert {one.id, another.id} <= set(stored(folder, "a.png"))


def refuse(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the disk be full for every edit, as the database tells it."""
    import sqlite3

    from engine.project import journal

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(journal, "save", full)


def test_that_a_second_window_is_read_only_and_changes_nothing(
    opened: Desk, folder: Path, wait: Wait
) -> None:
    bolt = a_class(opened, wait)
    second = Desk(Editor())
    try:
        second.open([folder])
        wait(lambda: second.editor.shown)
        assert "another" in second.read_only_reason or "process" in second.read_only_reason
        told: list[str] = []
        second.editor.refused.connect(told.append)
        draw(second, bolt.id)
        assert told
        assert ids(second) == set()
    finally:
        second.close()


def test_that_an_unreadable_picture_says_why_and_the_others_go_on(
    desk: Desk, folder: Path, wait: Wait
) -> None:
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    desk.open([folder])
    wait(lambda: desk.editor.shown)
    told: list[str] = []
    desk.image_failed.connect(lambda _item, sentence: told.append(sentence))
    desk.step(1)
    wait(lambda: told)
    assert "b.png" in told[0]
    assert desk.editor.shown is None
    assert desk.current is not None
    assert desk.current.path == "b.png"
    desk.step(1)
    wait(lambda: shown_path(desk) == "c.png")


def test_that_a_picture_that_went_missing_keeps_its_instances(opened: Desk, folder: Path, wait: Wait) -> None:
    bolt = a_class(opened, wait)
    one = draw(opened, bolt.id)
    wait(lambda: is_saved(opened))
    opened.step(1)
    wait(lambda: shown_path(opened) == "b.png")
    (folder / "a.png").rename(folder.parent / "away.png")
    opened.refresh()
    wait(lambda: opened.media[0].missing)
    told: list[str] = []
    opened.image_failed.connect(lambda _item, sentence: told.append(sentence))
    opened.show(opened.media[0].id)
    wait(lambda: told)
    assert "gone" in told[0]
    assert one.id in stored(folder, "a.png")


def test_that_the_next_image_that_needs_a_look_is_neither_reviewed_nor_put_off(
    opened: Desk, wait: Wait
) -> None:
    from dataclasses import replace

    a, b, c = opened.order
    opened.note_states({b: replace(opened.state_of(b), review=ReviewState.REVIEWED)})
    assert opened.step_to_look_at(1)
    wait(lambda: shown_path(opened) == "c.png")
    opened.note_states({a: replace(opened.state_of(a), skip=True)})
    assert not opened.step_to_look_at(1), "only the one that is shown is left"
    opened.note_states({c: replace(opened.state_of(c), review=ReviewState.REVIEWED)})
    assert not opened.step_to_look_at(1)


def test_that_proposals_of_a_batch_come_into_the_shown_image(opened: Desk, wait: Wait) -> None:
    bolt = a_class(opened, wait)
    mine = draw(opened, bolt.id, 30)
    assert opened.project is not None
    media_id = opened.order[0]
    found = proposal(bolt.id)
    opened.project.put_proposals(media_id, [found], key="k", batch_id="label 1")
    opened.reload_image(media_id)
    wait(lambda: ids(opened) == {mine.id, found.id})
    assert opened.saving.past.done == ("Draw",)
    opened.project.undo_batch("label 1")
    opened.reload_image(media_id)
    wait(lambda: ids(opened) == {mine.id})


def test_that_the_list_is_told_when_the_project_is_let_go(opened: Desk) -> None:
    listed: list[int] = []
    opened.media_changed.connect(lambda: listed.append(len(opened.media)))
    opened.leave()
    assert listed == [0], "or a list would paint images that nobody knows any more"


def drawn_in_known_files(opened: Desk, wait: Wait) -> tuple[Instance, Project]:
    """An instance that is saved, in a project that would know its files again elsewhere."""
    one = draw(opened, a_class(opened, wait).id)
    wait(lambda: is_saved(opened))
    assert opened.project is not None
    for item in opened.media:
        opened.project.ensure_hash(item.id)
    return one, opened.project


def test_that_a_project_moves_to_where_its_pictures_are_now(
    opened: Desk, folder: Path, tmp_path: Path, wait: Wait
) -> None:
    one, _ = drawn_in_known_files(opened, wait)
    to = tmp_path / "elsewhere" / "2026"
    to.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (folder / name).rename(to / f"new {name}")
    told: list[str] = []
    opened.failed.connect(told.append)
    opened.open_by(to, partial(move_and_open, folder, to))
    wait(lambda: opened.folder == to and opened.editor.shown)
    wait(lambda: shown_path(opened) == "new a.png")
    assert ids(opened) == {one.id}
    assert opened.saving.past.done == ("Draw",)
    assert [item.path for item in opened.media if item.missing] == ["c.png"]
    assert not (folder / ".maskwright").exists()
    assert told == []


def test_that_a_move_that_fails_leaves_the_project_open_where_it_was(
    opened: Desk, folder: Path, tmp_path: Path, wait: Wait
) -> None:
    one = draw(opened, a_class(opened, wait).id)
    taken = folder_of(tmp_path / "taken")
    with Project.open(taken) as project:
        project.refresh()
    told: list[str] = []
    opened.failed.connect(told.append)
    for to, why in ((taken, "merge"), (folder, "already"), (tmp_path / "none", "check its name")):
        opened.open_by(to, partial(move_and_open, folder, to))
        wait(lambda why=why: told and why in told[-1])
        wait(lambda: opened.folder == folder and opened.editor.shown)
        assert ids(opened) == {one.id}
    assert (taken / ".maskwright" / "project.db").is_file()


def test_that_a_restored_backup_is_open_in_the_folder_that_was_just_looked_at(
    opened: Desk, folder: Path, tmp_path: Path, wait: Wait
) -> None:
    one, project = drawn_in_known_files(opened, wait)
    copy = tmp_path / "copy.db"
    project.backup_to(copy)
    to = tmp_path / "another disk"
    to.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).rename(to / f"new {name}")
    opened.open([to])  # which makes a blank project there
    wait(lambda: opened.folder == to and opened.editor.shown)
    told: list[str] = []
    opened.failed.connect(told.append)
    opened.open_by(to, partial(restore_and_open, copy, to))
    wait(lambda: opened.editor.shown and ids(opened) == {one.id})
    assert opened.saving.past.done == ("Draw",)
    assert not [item.path for item in opened.media if item.missing]
    opened.open_by(to, partial(restore_and_open, copy, to))
    wait(lambda: told)
    assert "never written over" in told[0]
    wait(lambda: opened.folder == to and opened.editor.shown)
    assert ids(opened) == {one.id}


def test_that_a_project_that_is_still_being_opened_is_closed_with_the_desk(
    application: QApplication, folder: Path
) -> None:
    desk = Desk(Editor())
    desk.open([folder])
    desk.close()
    with Project.open(folder) as project:
        assert not project.read_only, "or the folder would be found in use by ourselves"


def test_that_a_folder_taken_away_while_it_is_open_is_told(
    opened: Desk, folder: Path, tmp_path: Path, wait: Wait
) -> None:
    told: list[str] = []
    opened.editor.refused.connect(told.append)
    bolt = a_class(opened, wait)
    draw(opened, bolt.id)
    wait(lambda: is_saved(opened))
    opened.saving._looked_timer.stop()
    folder.rename(tmp_path / "moved")
    draw(opened, bolt.id)
    wait(lambda: told)
    assert "open the folder where it is now" in told[0]
    assert len(told) == 1, "nothing was said while it was there"
    (tmp_path / "moved").rename(folder)


def test_that_a_folder_moved_as_a_whole_takes_its_project_along(
    opened: Desk, folder: Path, tmp_path: Path, wait: Wait
) -> None:
    one = draw(opened, a_class(opened, wait).id)
    opened.leave()
    wait(lambda: not opened._closing)
    folder.rename(tmp_path / "moved")
    opened.open([tmp_path / "moved"])
    wait(lambda: opened.editor.shown)
    assert ids(opened) == {one.id}


def test_that_picture_files_are_never_written(opened: Desk, folder: Path, wait: Wait) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*.png")}
    bolt = a_class(opened, wait)
    draw(opened, bolt.id)
    opened.saving.undo()
    wait(lambda: is_saved(opened) and not ids(opened))
    opened.leave()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*.png")} == before


def test_that_a_known_project_is_on_the_screen_before_its_folder_is_looked_through(
    opened: Desk, folder: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.leave()
    picture(folder / "new.png")
    go_on = threading.Event()
    refresh = Project.refresh

    def slow(project: Project) -> ScanReport:
        assert go_on.wait(20)
        return refresh(project)

    monkeypatch.setattr(Project, "refresh", slow)
    opened.open([folder])
    wait(lambda: shown_path(opened) == "a.png")
    assert len(opened.media) == 3
    go_on.set()
    wait(lambda: [item.path for item in opened.media] == ["a.png", "b.png", "c.png", "new.png"])
    assert shown_path(opened) == "a.png"


def test_that_a_picture_of_which_only_a_small_one_could_be_read_is_not_kept_on_the_screen(
    opened: Desk, folder: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwrite(str(folder / "large.jpg"), np.full((320, 480, 3), 90, np.uint8))
    asked: list[tuple[int, int]] = []

    def level_for(height: int, width: int) -> int:
        asked.append((height, width))
        return 2

    def refuse(_pictures: Pictures, path: Path, *_about: object) -> Rgb:
        if path.name == "large.jpg":
            raise MediaError("large.jpg: there is not enough memory to decode it")
        return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)

    monkeypatch.setattr(Pictures, "read", refuse)
    opened.editor.level_for = level_for
    shown: list[str] = []
    opened.editor.image_changed.connect(
        lambda: shown.append(opened.editor.shown.item.path if opened.editor.shown else "")
    )
    opened.open([folder / "large.jpg"])
    wait(lambda: opened.problem)
    assert shown == ["large.jpg", ""]
    assert opened.problem == "large.jpg: there is not enough memory to decode it"
    assert asked[-1] in {(0, 0), (320, 480)}, "as far as the size is known"
