"""What comes before a fine-tuning's process and after it: the order, and the version that takes its place.

The window's thread, the command line and torchrun's first process all do it this way. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from engine.errors import TrainingError
from engine.messages import Described, FineTune, TuningNews
from engine.models.store import ModelStore
from engine.project import Project
from engine.train.events import StopAsked
from engine.train.order import TrainOrder
from engine.train.verdict import Verdict
from engine.tuning.planning import describe, order_of
from engine.tuning.preparing import prepare
from engine.tuning.stopped import forget, note, stopped_run

OpenProject: TypeAlias = Callable[[Path], AbstractContextManager[Project]]


def ordered(
    request: FineTune,
    store: ModelStore,
    open_project: OpenProject,
    tell: Callable[[TuningNews], None],
    is_stopped: Callable[[], bool],
) -> tuple[TrainOrder, int]:
    """Assign, describe and note down; returns the order and the step that it goes on after.

    Raises StopAsked, DataError, ProjectError, or TrainingError where the project cannot be written or where
    nothing was stopped that could go on.
    """
    with open_project(request.folder) as project:
        if project.read_only:
            raise TrainingError(
                f"The project of {project.folder} is open read-only ({project.read_only_reason}): close "
                "the other window, or make the folder writable."
            )
        if request.resume:
            stopped = stopped_run(store.root, project.folder)
            if stopped is None:
                raise TrainingError("No fine-tuning of this project was stopped: start a new one.")
            return stopped.order, stopped.step
        for news in prepare(project, request.held_out):
            tell(news)
            if is_stopped():
                raise StopAsked
        described = describe(request, project, store)
    tell(Described(described))
    order = order_of(request, described, store)
    forget(store.root, described.name)
    note(store.root, order)
    return order, 0


def take(verdict: Verdict, name: str, folder: Path, open_project: OpenProject) -> None:
    """Make the new version the active one where the verdict says so; else everything stays."""
    if not verdict.is_active:
        return
    with open_project(folder) as project:
        if not project.active_model().name:
            project.activate_model(verdict.old_name)  # so that there is something to go back to
        project.activate_model(name)


def summary_of(verdict: Verdict, name: str) -> Mapping[str, int | float | str]:
    """The figures of an ending."""
    return {
        "version": name,
        "decision": verdict.decision.value,
        "difference": round(verdict.difference, 4),
        "reason": verdict.reason,
    }
