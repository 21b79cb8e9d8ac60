"""The real program with its real window, offscreen: from `main()` to what is on the disk afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QMessageBox, QPushButton

from engine import applog
from engine.document.diff import Diff
from engine.document.records import Instance, Provenance, ReviewState
from engine.project import Project
from gui.actions import Actions
from gui.dialogs.classes import NameDialog
from gui.main_window import MainWindow
from gui.saving import Kept
from tests.gui.making import drawn, folder_of, picture, stored
from tests.journeys.person import SAMPLES, Person, draw_two, quiet


def test_that_a_day_of_work_is_there_the_next_day(at_the_window: Callable[..., int], samples: Path) -> None:
    """Open, look at proposals, accept, correct, draw, undo, redo, go on, close, open again."""
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in samples.glob("*.jpg")}
    names = sorted(path.name for path in before)
    left: dict[int, Instance] = {}

    def first_day(person: Person) -> None:
        window = person.window
        person.see(names[0])
        person.wait(lambda: person.instances, 120)
        assert all(one.provenance is Provenance.PREDICTED for one in person.instances)
        person.saved()
        window.proposals.set_score(0.2)
        best = max(window.editor.visible, key=lambda one: one.score or 0)
        window.editor.select([best.id])
        person.do("predict.accept")
        person.do("tool.brush")
        x, y, _, _ = best.bounds_xyxy
        person.drag((x + 5, y + 5), (x + 30, y + 5), (x + 30, y + 20))
        person.do("tool.polygon")
        for point in ((10, 10), (60, 10), (60, 50), (10, 50)):
            person.click(*point)
        person.press(Qt.Key.Key_Return)
        drawn = [one for one in person.instances if one.provenance is Provenance.DRAWN]
        assert drawn
        count = len(person.instances)
        person.saved()
        person.do("edit.undo")
        person.wait(lambda: len(person.instances) == count - 1)
        person.do("edit.redo")
        person.wait(lambda: len(person.instances) == count)
        person.do("image.accept")
        person.see(names[1])
        person.saved()
        person.do("image.previous")
        person.see(names[0])
        left.update({one.id: one for one in person.instances})
        assert window.editor.shown is not None
        assert window.editor.shown.document.state.review is ReviewState.REVIEWED
        assert not any(one.provenance.is_proposal for one in person.instances)
        person.wait(lambda: window.windowTitle().endswith("— saved"))

    def next_day(person: Person) -> None:
        person.see(names[1])  # the first that needs a look
        person.do("image.previous")
        person.see(names[0])
        assert {one.id: one for one in person.instances} == left
        assert person.window.desk.saving.past.done[-1] == "Accept image"
        person.do("edit.undo")
        person.wait(lambda: any(one.provenance.is_proposal for one in person.instances))
        person.do("edit.redo")
        person.wait(lambda: {one.id: one for one in person.instances} == left)

    assert at_the_window([str(samples)], first_day) == 0
    assert at_the_window([str(samples)], next_day) == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_that_a_folder_is_labelled_stopped_continued_and_undone_from_the_window(
    at_the_window: Callable[..., int], samples: Path
) -> None:
    (samples / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")

    def steps(person: Person) -> None:
        quiet(person)
        jobs, desk = person.window.jobs, person.window.desk
        person.wait(lambda: desk.project)
        jobs.label(jobs.images())
        person.wait(lambda: jobs.run is not None and jobs.run.stage.is_over, 240)
        assert jobs.run is not None
        assert [path for path, _ in jobs.run.failures] == ["broken.jpg"]
        assert jobs.run.done == 4
        assert person.window.jobs_panel.failures.count() == 1
        told = [one.text() for one in person.window.jobs_panel.findChildren(QLabel)]
        found = jobs.run.instances
        assert f"Labelled 3 images, {found:,} proposals of any score" in told, (
            "also those that no list counts"
        )
        person.wait(lambda: jobs.batches)
        states = [desk.state_of(media_id).review for media_id in desk.order]
        assert states.count(ReviewState.PROPOSED) == 3
        jobs.undo_batch(jobs.batches[0].id)
        person.wait(lambda: not jobs.batches)
        person.wait(lambda: all(desk.state_of(one).review is ReviewState.UNLABELLED for one in desk.order))

    assert at_the_window([str(samples)], steps) == 0


def test_that_a_file_opens_its_folder_and_a_drop_another(
    at_the_window: Callable[..., int], folder: Path, tmp_path: Path
) -> None:
    other = folder_of(tmp_path / "dropped", ("x.png", "y.png"))

    def steps(person: Person) -> None:
        quiet(person)
        person.see("b.png")
        drop(person.window, other)
        person.see("x.png")
        assert person.window.desk.folder == other
        assert person.window.settings.choices.recent[:2] == (str(other), str(folder))
        search = person.window.media_list.search
        assert not search.acceptDrops(), "Qt hands what is dropped there to the window"

    assert at_the_window([str(folder / "b.png")], steps) == 0


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QEvent.Type.Drop,
    )
    window.dropEvent(event)  # Qt sends one only at the end of a drag of its own


def test_that_a_second_window_says_that_it_is_read_only(
    at_the_window: Callable[..., int], folder: Path
) -> None:

    def steps(person: Person) -> None:
        person.see("a.png")
        assert "close it there" in person.window.notices.lasting
        assert "read-only" in person.window.windowTitle()
        actions: Actions = person.window.actions_
        actions.refresh()
        for command in ("image.accept", "predict.run", "batch.label", "image.skip"):
            assert not actions[command].isEnabled(), command
        assert actions["image.next"].isEnabled()

    with Project.open(folder) as project:
        project.refresh()
        assert at_the_window([str(folder)], steps) == 0


def test_that_a_failed_save_is_told_and_the_window_does_not_close_over_it(
    at_the_window: Callable[..., int], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from engine.project import journal

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        person.see("a.png")
        with monkeypatch.context() as patch:
            patch.setattr(journal, "save", full)
            person.do("image.skip")
            person.wait(lambda: window.desk.saving.state.kept is Kept.FAILED)
            person.wait(lambda: "NOT SAVED" in window.windowTitle())
            assert "full" in window.notices.lasting
            asked: list[str] = []

            def stay() -> None:
                (box,) = window.findChildren(QMessageBox)
                asked.append(box.text())
                box.reject()

            QTimer.singleShot(100, window, stay)
            window.close()
            assert asked
            assert "full" in asked[0]
            assert window.isVisible()
        person.do("file.save_again")
        person.saved()
        assert window.notices.lasting == ""

    assert at_the_window([str(folder)], steps) == 0
    assert getattr(stored(folder, "a.png")[0], "skip", None) is True


@pytest.mark.parametrize("name", ["grünes Bild.png", "日本語.png"])
def test_that_pictures_with_any_name_open(
    at_the_window: Callable[..., int], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "Bilder mit Käse"
    picture(folder / "plain.png")
    shutil.move(folder / "plain.png", folder / name)

    def steps(person: Person) -> None:
        quiet(person)
        person.see(name)

    assert at_the_window([str(folder)], steps) == 0


def test_that_the_sample_pictures_are_copied_and_opened(
    at_the_window: Callable[..., int], tmp_path: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        person.do("file.sample")
        person.wait(lambda: person.window.editor.shown)
        folder = person.window.desk.folder
        assert folder is not None
        assert tmp_path in folder.parents
        assert len(person.window.desk.media) == len(list(SAMPLES.glob("*.jpg")))

    assert at_the_window([], steps) == 0


def test_that_a_recent_folder_is_a_click_away_and_one_that_is_gone_says_so(
    at_the_window: Callable[..., int], folder: Path, tmp_path: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        window.settings.note_folder(tmp_path / "gone")
        window.settings.note_folder(folder)
        entries = [
            one
            for one in window.welcome.findChildren(QPushButton)
            if one.isFlat() and window.welcome._recent.indexOf(one) >= 0
        ]
        assert [one.accessibleName() for one in entries] == [f"Open {folder}", f"Open {tmp_path / 'gone'}"]
        entries[1].click()
        person.wait(lambda: any("gone" in one.text() for one in window.notices.findChildren(QLabel)))
        assert window.stack.currentWidget() is window.welcome
        entries[0].click()
        person.see("a.png")

    assert at_the_window([], steps) == 0


def test_that_a_folder_that_cannot_be_opened_leaves_on_the_screen_what_was_there(
    at_the_window: Callable[..., int], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        told: list[str] = []
        window.desk.failed.connect(told.append)
        for path, page in ((folder, window.canvas), (tmp_path / "empty", window.message)):
            window.open([path])
            person.wait(lambda path=path: window.desk.folder == path and not window.desk.is_opening)
            person.wait(lambda page=page: window.stack.currentWidget() is page)
            before = window.message._label.text()
            window.open([tmp_path / "gone"])
            person.wait(lambda: told)
            told.clear()
            assert window.stack.currentWidget() is page
            assert page is window.canvas or window.message._label.text() == before
        assert "no pictures" in before
        person.do("file.close")
        assert window.editor.classes == ()
        assert window.stack.currentWidget() is window.welcome

    assert at_the_window([str(folder)], steps) == 0


def test_that_the_log_is_one_click_away(
    at_the_window: Callable[..., int], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[QUrl] = []

    def show(url: QUrl) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", show)

    def steps(person: Person) -> None:
        quiet(person)
        applog.log_file().parent.mkdir(parents=True, exist_ok=True)
        applog.log_file().write_text("a line", encoding="utf-8")
        person.do("help.log")

    assert at_the_window([str(folder)], steps) == 0
    assert [Path(url.toLocalFile()) for url in opened] == [applog.log_file()]


@pytest.fixture
def pictures_of_all_kinds(shared_data: Path, tmp_path: Path) -> Path:
    """Copies of the real pictures that are hard to read, or cannot be."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for path in sorted((shared_data / "images").rglob("*")):
        if path.is_file() and path.stat().st_size < 5_000_000:
            shutil.copyfile(path, folder / path.name)
    return folder


def test_that_every_odd_picture_is_shown_or_says_why_not(
    at_the_window: Callable[..., int], pictures_of_all_kinds: Path
) -> None:
    before = {path: path.read_bytes() for path in pictures_of_all_kinds.iterdir() if path.is_file()}

    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        person.wait(lambda: window.desk.project and window.desk.current)
        for media_id in window.desk.order[:60]:
            window.desk.show(media_id)
            path = window.desk.item(media_id).path
            person.wait(lambda path=path: person.shown == path or window.desk.problem, 60)
            if window.desk.problem:
                assert window.stack.currentWidget() is window.message

    assert at_the_window([str(pictures_of_all_kinds)], steps) == 0
    assert {path: path.read_bytes() for path in before} == before


def drawn_by(person: Person) -> tuple[Instance, ...]:
    """What there is now; mypy takes what was asserted before a drag as still true."""
    return person.instances


def test_that_drawing_without_a_class_asks_for_one(at_the_window: Callable[..., int], folder: Path) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        person.see("a.png")
        person.do("tool.box")

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, NameDialog):
                QTimer.singleShot(20, person.window, answer)
                return
            dialog.field.setText("bolt")
            dialog.accept()

        QTimer.singleShot(20, person.window, answer)
        person.drag((4, 4), (12, 14), (16, 20))
        person.wait(lambda: person.window.editor.classes)
        assert person.instances == ()
        person.drag((4, 4), (12, 14), (16, 20))
        (bolt,) = person.window.editor.classes
        assert bolt.name == "bolt"
        assert [one.class_id for one in drawn_by(person)] == [bolt.id]

    assert at_the_window([str(folder)], steps) == 0


def test_that_the_right_button_offers_what_can_be_done_there(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    with Project.open(folder) as project:
        project.refresh()
        bolt = drawn(project.ensure_class("bolt").id)
        project.save(project.media()[0].id, Diff(added={bolt.id: bolt}), name="Draw").result()

    def offered_to(person: Person) -> list[str]:
        (menu,) = person.window.findChildren(QMenu, "context")
        found = [one.objectName() for one in menu.actions() if not one.isSeparator()]
        menu.close()
        person.wait(lambda: not person.window.findChildren(QMenu, "context"))
        return found

    def steps(person: Person) -> None:
        quiet(person)
        person.see("a.png")
        window = person.window
        x0, y0, x1, y1 = person.instances[0].bounds_xyxy
        person.menu((x0 + x1) / 2, (y0 + y1) / 2)
        offered = offered_to(person)
        assert "shape.delete" in offered
        assert "predict.accept" not in offered, "it is no proposal"
        assert window.editor.selection == (bolt.id,)
        person.menu(40, 30)
        offered = offered_to(person)
        assert "image.accept" in offered
        assert "shape.delete" not in offered
        row = window.instances.model.index(0)
        at = window.instances.view.visualRect(row).center()
        QTest.mouseClick(window.instances.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        window.instances.view.customContextMenuRequested.emit(at)
        (menu,) = window.findChildren(QMenu, "context")
        (delete,) = (one for one in menu.actions() if one.objectName() == "shape.delete")
        delete.trigger()
        menu.close()
        assert person.instances == ()

    assert at_the_window([str(folder)], steps) == 0


def test_that_a_picture_changed_under_its_instances_is_told_until_they_are_called_right(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        person.see("a.png")
        draw_two(person)
        person.saved()
        project = window.desk.project
        assert project is not None
        assert window.notices.content == ""
        picture(folder / "a.png", 200)
        person.do("file.refresh")
        person.wait(lambda: window.notices.content)
        assert project.changed_media() == {window.desk.order[0]}
        person.do("image.next")
        person.see("b.png")
        assert window.notices.content == ""
        person.do("image.previous")
        person.see("a.png")
        assert window.notices.content
        person.do("image.accept_content")
        person.wait(lambda: not window.notices.content)
        assert not project.changed_media()
        assert len(person.instances) == 2

    assert at_the_window([str(folder)], steps) == 0


def test_that_several_files_are_listed_alone_until_all_are_wanted(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        panel = person.window.media_list
        person.see("c.png")
        desk = person.window.desk
        assert [desk.item(media_id).path for media_id in desk.order] == ["a.png", "c.png"]
        panel.all_files.click()
        assert [desk.item(media_id).path for media_id in desk.order] == ["a.png", "b.png", "c.png"]
        assert panel.all_files.isHidden()
        person.window.open([folder / "b.png", folder / "a.png"])
        person.see("b.png")
        assert [desk.item(media_id).path for media_id in desk.order] == ["a.png", "b.png"]

    assert at_the_window([str(folder / "c.png"), str(folder / "a.png")], steps) == 0
