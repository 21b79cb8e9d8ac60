"""Choices that outlive the program, and files that must not keep it from starting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gui.settings import MOST_RECENT, Choices, Settings


def test_that_choices_are_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.json"
    Settings(path).change(theme="dark", score=0.3, shortcuts={"edit.undo": ("Ctrl+U",)})
    again = Settings(path).choices
    assert (again.theme, again.score, again.shortcuts) == ("dark", 0.3, {"edit.undo": ("Ctrl+U",)})


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"theme": 3, "score": 7, "recent": [1], "shortcuts": {"a": 1}}']
)
def test_that_a_damaged_file_costs_the_choices_and_not_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    assert Settings(path).choices == Choices()


def test_that_what_is_right_in_a_file_counts_and_the_rest_does_not(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "dark", "score": "high", "of a newer version": 1}))
    assert Settings(path).choices == Choices(theme="dark")


def test_that_a_place_that_cannot_be_written_costs_only_the_keeping(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path / "file" / "settings.json")
    settings.change(theme="dark")
    assert settings.choices.theme == "dark"


def test_that_recent_folders_are_few_and_the_newest_leads(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json")
    for number in range(MOST_RECENT + 3):
        settings.note_folder(tmp_path / str(number))
    settings.note_folder(tmp_path / "5")
    assert settings.choices.recent[0] == str(tmp_path / "5")
    assert len(settings.choices.recent) == MOST_RECENT == len(set(settings.choices.recent))
