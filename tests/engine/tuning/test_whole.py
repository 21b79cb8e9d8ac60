"""One fine-tuning from the click to the active version, through the session and a real training process."""

from __future__ import annotations

import queue
from pathlib import Path

from engine.messages import (
    Accept,
    Described,
    Event,
    FineTune,
    Finished,
    Judged,
    ModelChoice,
    Pictured,
    Predicted,
    PredictImage,
    Started,
    Stepped,
)
from engine.models.store import ModelStore
from engine.project import Project
from engine.session import Session
from engine.train.verdict import Verdict
from tests.engine.tuning.making import reviewed_project, until_end


def test_that_a_click_learns_judges_and_swaps_the_model_while_predictions_go_on(
    tmp_path: Path, models: ModelStore
) -> None:
    folder = reviewed_project(tmp_path / "discs", 6)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    request = FineTune(
        folder, base="base", iterations=3, side=96, accept=Accept.ALWAYS, device="cpu", held_out=0.34
    )
    with Session(events.put, window=True) as session:
        session.submit(request)
        session.submit(PredictImage(folder / "toy0.png", 0, ModelChoice("base", device="cpu")))
        seen = []
        for event in until_end(events):
            if isinstance(event, Finished) and "version" not in event.summary:
                break
            seen.append(event)
        predicted_at = len(seen)
        seen += list(until_end(events)) if not isinstance(seen[-1], Finished) else []
    kinds = [type(event) for event in seen]
    assert kinds.index(Predicted) < kinds.index(Judged)  # nobody waited for the training
    assert predicted_at < len(seen)
    assert kinds.index(Described) < kinds.index(Started) < kinds.index(Stepped)
    assert Pictured in kinds
    ending = seen[-1]
    assert isinstance(ending, Finished)
    assert ending.summary["decision"] == "activated"
    (judged,) = (event for event in seen if isinstance(event, Judged))
    card = models.resolve("discs-1").card
    assert Verdict.from_json(card.training["gate"]) == judged.verdict
    assert card.training["base"] == "base"
    assert Path(judged.verdict.report, "report.html").is_file()
    with Project.open(folder) as project:
        assert project.active_model().name == "discs-1"
        assert project.go_back().name == "base"
    assert {one.name for one in models.list()} >= {"discs-1"}
    assert "discs-1-last" not in {one.name for one in models.list()}
    assert list(models.root.glob("training/*")) == []
