"""The project of one folder: media list, classes, instances, journal. `Project.open` is the door."""

from __future__ import annotations

from engine.project.journal import Batch
from engine.project.media_index import ScanReport
from engine.project.project import Project

__all__ = ["Batch", "Project", "ScanReport"]
