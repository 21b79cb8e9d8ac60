"""Two models on the images that a project holds out, as a job of the worker's."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from engine.messages import Canceled, Compare, Compared, Event, Failed, Finished, Progress
from engine.models.store import ModelStore
from engine.project import Project
from engine.session import Session
from engine.train.verdict import Verdict
from engine.tuning.preparing import prepare
from tests.engine.tuning.making import base_model, reviewed_project, until_end


@pytest.fixture
def discs(tmp_path: Path, models: ModelStore) -> Path:
    """Six reviewed pictures, some of them held out, of a class that the model `base` knows."""
    folder = reviewed_project(tmp_path / "discs", 6)
    with Project.open(folder) as project:
        (disc,) = project.classes()
        project.rename_class(disc.id, models.resolve("base").card.classes[0])
        for _ in prepare(project, 0.5):
            pass
    return folder


def run(request: Compare, *, cancel: bool = False) -> list[object]:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    seen: list[object] = []
    with Session(events.put, window=True) as session:
        order = session.submit(request)
        for event in until_end(events):
            seen.append(event)
            if cancel:
                session.cancel(order)
    return seen


def test_that_two_models_are_measured_on_the_same_held_out_images(discs: Path, models: ModelStore) -> None:
    base_model(models.root, "other")
    with Project.open(discs, read_only=True) as project:
        held_out = sum(project.held_out().values())
        before = project.image_states(), project.active_model()
    assert 0 < held_out < 6
    *progress, compared, ending = run(Compare(discs, "base", "other", device="cpu"))
    assert isinstance(ending, Finished)
    assert isinstance(compared, Compared)
    verdict: Verdict = compared.verdict
    assert (verdict.old_name, verdict.new_name, verdict.images) == ("base", "other", held_out)
    assert verdict.old is not None
    assert verdict.new is not None
    assert verdict.old.ap == verdict.new.ap, "they have the same weights"
    assert (verdict.low, verdict.difference, verdict.high) == (0, 0, 0)
    assert [p.done for p in progress if isinstance(p, Progress)] == list(range(1, 2 * held_out + 1))
    assert Path(verdict.report, "report.html").is_file()
    with Project.open(discs, read_only=True) as project:
        assert (project.image_states(), project.active_model()) == before


def test_that_a_comparison_can_be_stopped(discs: Path, models: ModelStore) -> None:
    base_model(models.root, "other")
    seen = run(Compare(discs, "base", "other", device="cpu"), cancel=True)
    assert isinstance(seen[-1], Canceled)
    assert len(seen) <= 3, "it ends at the next image, or the one after"


def test_that_without_a_held_out_image_it_says_what_to_do(tmp_path: Path, models: ModelStore) -> None:
    folder = reviewed_project(tmp_path / "discs", 2)
    (ending,) = run(Compare(folder, "base", "base", device="cpu"))
    assert isinstance(ending, Failed)
    assert "No image of" in ending.message
    assert "have the model learn once" in ending.message


def test_that_a_model_that_is_gone_is_named(discs: Path, models: ModelStore) -> None:
    (ending,) = run(Compare(discs, "base", "lost", device="cpu"))
    assert isinstance(ending, Failed)
    assert "'lost'" in ending.message
