"""Somebody at the window whose drive goes and comes back; run by test_drive.py under the fault library."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from engine.document.records import Instance
from gui.commands.registry import COMMANDS
from gui.saving import Kept
from tests.gui import conftest
from tests.gui.making import drawn, folder_of, stored
from tests.journeys import person as person_module
from tests.journeys.person import Person, quiet

application, wait = conftest.application, conftest.wait
own_folders, nothing_left_behind = conftest.own_folders, conftest.nothing_left_behind
at_the_window = person_module.at_the_window

GONE = 6  # faults.c


def draw(person: Person, x: int) -> None:
    editor = person.window.editor
    with editor.edit("Brush"):
        assert editor.document is not None
        editor.document.add(drawn(editor.classes[0].id, x))


def test_that_work_goes_on_when_the_drive_is_back(at_the_window: Callable[..., int], tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", tuple(f"{name}.png" for name in "abcdefgh"))
    before = {path.name: path.read_bytes() for path in folder.glob("*.png")}
    library = ctypes.CDLL(os.environ["FAULT_LIBRARY"])
    library.fault_place(f"{folder}/".encode())

    def steps(person: Person) -> None:
        quiet(person)
        window = person.window
        person.see("a.png")
        COMMANDS["classes.add"].run(window.context, "bolt")
        person.wait(lambda: window.editor.classes)
        draw(person, 2)
        person.saved()

        library.fault_arm(1, GONE)
        draw(person, 12)
        person.wait(lambda: window.desk.saving.state.kept is Kept.FAILED)
        person.wait(lambda: "NOT SAVED" in window.windowTitle())
        assert "see that its drive is there" in window.notices.lasting
        draw(person, 22)
        told: list[str] = []
        window.desk.image_failed.connect(lambda _item, sentence: told.append(sentence))
        window.desk.refresh()
        for number, item in enumerate((window.desk.media[-1], window.desk.media[0])):
            window.desk.show(item.id)
            person.wait(lambda number=number: len(told) > number)
        assert all("cannot read" in sentence or "cannot be read" in sentence for sentence in told)

        library.fault_arm(0, 0)
        person.saved()  # by itself: it is tried again and again
        for item in (*window.desk.media[1:], window.desk.media[0]):
            window.desk.show(item.id)
            person.see(item.path)
        assert len(person.instances) == 3, "what was drawn without the drive is there"
        assert not any(item.missing for item in window.desk.media)
        draw(person, 32)
        person.saved()

    def steps_and_back(person: Person) -> None:
        try:
            steps(person)
        finally:  # a window asks before it closes over what is not saved
            library.fault_arm(0, 0)
            person.saved()

    assert at_the_window([str(folder)], steps_and_back) == 0
    assert sum(isinstance(one, Instance) for one in stored(folder, "a.png").values()) == 4
    assert {path.name: path.read_bytes() for path in folder.glob("*.png")} == before
