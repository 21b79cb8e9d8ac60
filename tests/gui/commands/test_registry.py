"""Commands as data: none twice, keys that can be changed, titles and icons that exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QKeySequence

from gui.commands import load_all
from gui.commands.keys import give, holder_of, shortcuts_of
from gui.commands.registry import COMMANDS, MENUS, add, command, in_menu_order
from gui.dialogs.find import matches
from gui.settings import Settings
from gui.theme import ICONS


@pytest.fixture(autouse=True)
def loaded() -> None:
    load_all()


@pytest.fixture
def kept() -> Iterator[None]:
    """Commands that a test makes are gone after it."""
    before = dict(COMMANDS)
    yield
    COMMANDS.clear()
    COMMANDS.update(before)


def test_that_every_command_has_a_title_a_menu_and_an_icon_that_exists() -> None:
    assert len(COMMANDS) > 40
    for one in COMMANDS.values():
        assert one.title, one.id
        assert one.menu, one.id
        assert one.menu[0] in MENUS, one.id
        assert not one.icon or (ICONS / f"{one.icon}.svg").is_file(), (one.id, one.icon)


def test_that_no_two_commands_share_an_id_or_keys(kept: None) -> None:
    @command("test.first", "First", shortcuts=("Ctrl+Alt+1",))
    def run(_context: object) -> None:
        pass

    with pytest.raises(ValueError, match=r"test\.first"):
        add(COMMANDS["test.first"])
    with pytest.raises(ValueError, match=r"belongs to 'test\.first'"):
        command("test.second", "Second", shortcuts=("Ctrl+Alt+1",))(run)


def test_that_all_keys_are_keys_and_are_told_apart_as_qt_tells_them() -> None:
    holders: dict[str, str] = {}
    for one in COMMANDS.values():
        for shortcut in one.shortcuts:
            sequence = QKeySequence(shortcut)
            assert not sequence.isEmpty(), (one.id, shortcut)
            written = sequence.toString()
            assert holders.setdefault(written, one.id) == one.id, (written, one.id, holders[written])


@pytest.mark.parametrize(
    ("id_", "shortcut"),
    [
        ("image.next", "D"),
        ("image.previous", "A"),
        ("image.next_to_look_at", "Ctrl+Shift+D"),
        ("image.previous_to_look_at", "Ctrl+Shift+A"),
        ("predict.run", "I"),
        ("predict.accept", "Return"),
        ("edit.undo", "Ctrl+Z"),
        ("edit.redo", "Ctrl+Shift+Z"),
        ("edit.redo", "Ctrl+Y"),
        ("batch.label", "Ctrl+B"),
        ("help.palette", "Ctrl+Shift+P"),
        ("help.shortcuts", "F1"),
        ("tool.polygon", "P"),
        ("tool.box", "R"),
        ("tool.brush", "B"),
        ("tool.eraser", "E"),
        ("tool.scissors", "S"),
        ("tool.select", "V"),
        ("tool.vertex", "Ctrl+J"),
        ("view.fit", "F"),
        ("view.actual_size", "Ctrl+0"),
        ("view.hide_all", "T"),
    ],
)
def test_that_the_keys_people_have_in_their_fingers_work(id_: str, shortcut: str) -> None:
    assert shortcut in COMMANDS[id_].shortcuts


def test_that_keys_given_to_a_command_are_taken_from_the_one_that_had_them(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json")
    undo, redo = COMMANDS["edit.undo"], COMMANDS["edit.redo"]
    assert give(undo, "Ctrl+Y", settings) is redo
    assert shortcuts_of(undo, settings) == ("Ctrl+Y",)
    assert shortcuts_of(redo, settings) == ("Ctrl+Shift+Z",)
    assert holder_of("Ctrl+Z", settings) is None
    again = Settings(settings.path)
    assert shortcuts_of(undo, again) == ("Ctrl+Y",)
    again.set_shortcuts("edit.undo", None)
    assert shortcuts_of(undo, again) == ("Ctrl+Z",)


def test_that_commands_of_a_section_stand_together() -> None:
    seen: list[tuple[tuple[str, ...], str]] = []
    for one in in_menu_order(COMMANDS.values()):
        if not seen or seen[-1] != (one.menu, one.section):
            seen.append((one.menu, one.section))
    assert len(seen) == len(set(seen))
    menus = list(dict.fromkeys(menu[0] for menu, _ in seen))
    assert menus == [menu for menu in MENUS if menu in menus]


def test_that_the_palette_finds_a_command_by_the_beginnings_of_its_words() -> None:
    assert matches("", "Accept image") == 0
    assert matches("zzz", "Accept image") is None
    exact, scattered = matches("ai", "Accept image"), matches("ai", "Open again in")
    assert exact is not None
    assert scattered is not None
    assert exact < scattered
    assert matches("undo", "Undo") < (matches("undo", "Run down orders") or 0)  # type: ignore[operator]
