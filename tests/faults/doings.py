"""What the window writes, as functions of one folder, for the trials under a failing disk."""

from __future__ import annotations

from pathlib import Path

from engine.document.records import ClassDef
from engine.media.frame_files import export_frames as write_frames
from engine.project import Project
from engine.project.presets import write_preset


def save_preset(folder: Path) -> None:
    """A set of classes as a file."""
    write_preset(folder / "classes.json", [ClassDef(1, "bolt", "#3fa7d6")])


def back_up(folder: Path) -> None:
    """A copy of the database beside it."""
    with Project.open(folder / "pictures") as project:
        project.backup_to(folder / "out" / "copy.db")


def change_settings(folder: Path) -> None:
    """The person's choices."""
    from gui.settings import Settings

    settings = Settings(folder / "settings.json")
    settings.change(theme="dark")
    settings.change(theme="light")


def export_frames(folder: Path) -> None:
    """A picture as a frame of a file."""
    for _ in write_frames(folder / "pictures" / "0.png", [0], folder / "out"):
        pass
