"""The window by the keyboard: what has it, what its keys mean there, and how they are changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.document.records import ReviewState
from gui.dialogs.palette import Palette
from gui.dialogs.shortcuts import ShortcutPage
from tests.gui.making import stored
from tests.journeys.person import Person, draw_two, quiet


def test_that_a_space_tapped_accepts_the_image_and_goes_on(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        person.see("a.png")
        QTest.keyPress(person.window.canvas, Qt.Key.Key_Space)
        QTest.keyRelease(person.window.canvas, Qt.Key.Key_Space)
        person.see("b.png")
        first = person.window.desk.order[0]
        assert person.window.desk.state_of(first).review is ReviewState.REVIEWED
        person.saved()

    assert at_the_window([str(folder)], steps) == 0
    state = stored(folder, "a.png")[0]
    assert getattr(state, "review", None) is ReviewState.REVIEWED


def test_that_bare_letters_are_text_while_a_text_field_has_the_focus(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        person.see("a.png")
        window = person.window
        window.activateWindow()
        window.media_list.search.setFocus()
        person.wait(window.media_list.search.hasFocus)
        QTest.keyClicks(window.media_list.search, "dbpng")
        assert window.media_list.search.text() == "dbpng"
        assert window.editor.tool.id == "select"
        assert person.shown == "a.png"
        window.media_list.search.clear()
        window.canvas.setFocus()
        person.press(Qt.Key.Key_D)
        person.see("b.png")

    assert at_the_window([str(folder)], steps) == 0


def test_that_the_palette_runs_a_command_and_the_shortcut_page_changes_its_keys(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        person.see("a.png")
        person.do("help.palette")
        (palette,) = person.window.findChildren(Palette)
        QTest.keyClicks(palette.line, "next image")
        QTest.keyClick(palette.line, Qt.Key.Key_Return)
        person.see("b.png")
        person.do("help.shortcuts")
        (page,) = person.window.findChildren(ShortcutPage)
        page.line.setText("previous image")
        (item,) = (item for _, items in page._groups() for item in items if item.text(0) == "Previous image")
        page.tree.setCurrentItem(item)
        page.keys.setKeySequence("Ctrl+Alt+P")
        page.set.click()
        page.close()
        keys = [one.toString() for one in person.window.actions_["image.previous"].shortcuts()]
        assert keys == ["Ctrl+Alt+P"]

    assert at_the_window([str(folder)], steps) == 0


def test_that_keys_are_commands_also_where_the_first_picture_is_damaged(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    (folder / "a.png").write_bytes(b"no picture")

    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        window.activateWindow()
        person.wait(lambda: window.desk.problem)
        assert QApplication.focusWidget() is window.message
        person.press(Qt.Key.Key_D)
        person.see("b.png")
        assert QApplication.focusWidget() is window.canvas
        assert window.media_list.search.text() == ""

    assert at_the_window([str(folder)], steps) == 0


def test_that_going_through_the_list_keeps_the_keyboard_in_it(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    (folder / "b.png").write_bytes(b"no picture")

    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        window.activateWindow()
        person.see("a.png")
        window.media_list.view.setFocus()
        person.press(Qt.Key.Key_Down)
        person.wait(lambda: window.desk.problem)
        person.press(Qt.Key.Key_Down)
        person.see("c.png")
        assert QApplication.focusWidget() is window.media_list.view

    assert at_the_window([str(folder)], steps) == 0


def test_that_tab_means_instances_on_the_canvas_and_panels_elsewhere(
    at_the_window: Callable[..., int], folder: Path
) -> None:
    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        person.see("a.png")
        draw_two(person)
        window.activateWindow()
        window.canvas.setFocus()
        window.editor.select(())
        first, second = (one.id for one in sorted(person.instances, key=lambda one: one.bounds_xyxy))
        person.press(Qt.Key.Key_Tab)
        assert window.editor.selection == (first,)
        person.press(Qt.Key.Key_Tab)
        assert window.editor.selection == (second,)
        person.press(Qt.Key.Key_Tab, Qt.KeyboardModifier.ShiftModifier)
        assert window.editor.selection == (first,)
        person.press(Qt.Key.Key_F6)
        line = window.media_list.search
        assert QApplication.focusWidget() is line
        person.press(Qt.Key.Key_Tab)
        assert QApplication.focusWidget() not in (line, window.canvas)
        assert window.editor.selection == (first,)
        line.setFocus()
        person.press(Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
        assert QApplication.focusWidget() is window.canvas

    assert at_the_window([str(folder)], steps) == 0
