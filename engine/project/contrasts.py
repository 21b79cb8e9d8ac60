"""Which contrast the pictures of a project have: a file's own, else the project's, else the automatic one.

Kept as notes: "contrast", and "contrast:PATH" for all frames of a file. Knows no picture.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.document.contrast import AUTOMATIC, Contrast
from engine.project import notes

if TYPE_CHECKING:
    from engine.project.project import Project

_log = logging.getLogger(__name__)
_NOTE = "contrast"


@dataclass(frozen=True, slots=True)
class Contrasts:
    """All of a project's. own: by the file's path as the project names it."""

    usual: Contrast = AUTOMATIC
    own: Mapping[str, Contrast] = field(default_factory=dict)

    def of(self, path: str) -> Contrast:
        """That of a file."""
        return self.own.get(path, self.usual)

    def with_own(self, path: str, contrast: Contrast | None) -> Contrasts:
        """A file has its own from now on, or none any more."""
        others = {name: one for name, one in self.own.items() if name != path}
        return Contrasts(self.usual, others if contrast is None else {**others, path: contrast})


def contrasts_of(project: Project) -> Contrasts:
    """Those that the project keeps."""
    return _from_notes(project.notes(_NOTE))


def keep_contrasts(project: Project, contrasts: Contrasts) -> None:
    """Keep these and no others, in one step. Raises ProjectError for a project that is read-only."""
    wanted = {f"{_NOTE}:{path}": str(one) for path, one in contrasts.own.items()}
    if contrasts.usual != AUTOMATIC:
        wanted[_NOTE] = str(contrasts.usual)
    project.note(dict.fromkeys(project.notes(_NOTE)) | wanted)


def read(connection: sqlite3.Connection) -> Contrasts:
    """`contrasts_of`, inside a transaction."""
    return _from_notes(notes.read(connection, _NOTE))


def _from_notes(found: Mapping[str, str]) -> Contrasts:
    usual, own = AUTOMATIC, {}
    for key, text in found.items():
        name, _, path = key.partition(":")
        try:
            contrast = Contrast.parse(text)
        except ValueError:  # of a newer Maskwright: the pictures can be seen all the same
            _log.warning("the contrast %r of %s is not known here", text, path or "the project")
            continue
        if path:
            own[path] = contrast
        elif name == _NOTE:
            usual = contrast
    return Contrasts(usual, own)
