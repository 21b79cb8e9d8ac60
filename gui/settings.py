"""What a person has chosen, kept from one start to the next in one small JSON file.

A file that is missing, damaged or of another version costs the choices, never the start. Knows no window.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import platformdirs
from PySide6.QtCore import QObject, Signal

from engine.files import replacing

MOST_RECENT = 12
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choices:
    """All that is kept. recent: folders, newest first. shortcuts: command id -> the person's own ones.

    theme: "system", "light" or "dark". geometry, layout: of the main window, as Qt gives them, base 64.
    score, overlap, cutoff: 0..1, of proposals.
    """

    recent: tuple[str, ...] = ()
    shortcuts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    theme: str = "system"
    geometry: str = ""
    layout: str = ""
    model: str = "starter"
    predicts_by_itself: bool = True
    score: float = 0.5
    overlap: float = 1.0
    across_classes: bool = False
    cutoff: float = 0.5
    welcomed: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


class Settings(QObject):
    """The choices and the file that keeps them."""

    changed = Signal()

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.path = path or platformdirs.user_config_path("maskwright", appauthor=False) / "settings.json"
        self.choices = _read(self.path)

    def change(self, **choices: Any) -> None:
        """Choose anew, by the names of `Choices`, and keep it. A disk that refuses costs only the keeping."""
        changed = replace(self.choices, **choices)
        if changed != self.choices:
            self.choices = changed
            self._write()
            self.changed.emit()

    def note_folder(self, folder: Path) -> None:
        """A folder was opened: it leads the recent ones."""
        others = (one for one in self.choices.recent if one != str(folder))
        self.change(recent=(str(folder), *others)[:MOST_RECENT])

    def forget_folder(self, folder: str) -> None:
        """Take a folder off the recent ones."""
        self.change(recent=tuple(one for one in self.choices.recent if one != folder))

    def set_shortcuts(self, command: str, shortcuts: Sequence[str] | None) -> None:
        """Give a command other shortcuts; None: those it came with."""
        kept = {id_: own for id_, own in self.choices.shortcuts.items() if id_ != command}
        if shortcuts is not None:
            kept[command] = tuple(shortcuts)
        self.change(shortcuts=kept)

    def _write(self) -> None:
        try:
            with replacing(self.path) as part:
                part.write_text(json.dumps(asdict(self.choices), indent=1), encoding="utf-8")
        except OSError as error:
            _log.warning("the settings could not be written to %s: %s", self.path, error)


def _read(path: Path) -> Choices:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Choices()
    except (OSError, ValueError) as error:
        _log.warning("the settings in %s cannot be read: %s", path, error)
        return Choices()
    return _from_json(data) if isinstance(data, dict) else Choices()


def _from_json(data: dict[str, Any]) -> Choices:
    """The choices that are of the right kind; the others stay as they come."""
    default = Choices()
    taken: dict[str, Any] = {}
    for one in fields(Choices):
        value, usual = data.get(one.name), getattr(default, one.name)
        if isinstance(usual, bool):
            fits = isinstance(value, bool)
        elif isinstance(usual, float):
            fits = isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1
        elif isinstance(usual, tuple):
            fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
            value = tuple(value) if fits and value is not None else ()
        else:
            fits = isinstance(value, type(usual))
        if fits:
            taken[one.name] = value
    shortcuts = taken.get("shortcuts", {})
    taken["shortcuts"] = {
        id_: tuple(own)
        for id_, own in shortcuts.items()
        if isinstance(own, list) and all(isinstance(each, str) for each in own)
    }
    return replace(default, **taken)
