"""The parts behind the window, on an open folder, with an engine that answers what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from gui.bridge import Bridge
from gui.desk import Desk
from gui.editor import Editor
from gui.jobs import Jobs
from gui.proposals import Proposals
from gui.settings import Settings
from tests.gui.making import Engine, folder_of

Wait = Callable[..., None]


class Workbench:
    """Three pictures are open, the first is shown, no model looks by itself. Close the desk in the end."""

    def __init__(self, place: Path, wait: Wait) -> None:
        self.folder, self.wait = folder_of(place / "pictures", ("a.png", "b.png", "c.png")), wait
        self.editor, self.engine = Editor(), Engine()
        self.bridge = cast(Bridge, self.engine)
        self.desk = Desk(self.editor)
        self.settings = Settings(place / "settings.json")
        self.settings.change(predicts_by_itself=False)
        self.proposals = Proposals(self.editor, self.desk, self.bridge, self.settings)
        self.jobs = Jobs(self.desk, self.bridge, self.proposals)

    def open(self) -> None:
        """Open the folder and wait for its first picture."""
        self.desk.open([self.folder])
        self.wait(lambda: self.editor.shown)
