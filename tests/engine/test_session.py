"""The engine's front door with a real model: a prompt does not wait for a batch, every order ends once."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.document.boolean import iou
from engine.document.mask import Mask
from engine.messages import (
    Canceled,
    Event,
    Explain,
    Explained,
    Failed,
    Finished,
    ImageLabelled,
    LabelFolder,
    ModelChoice,
    Predicted,
    PredictImage,
    Priority,
    Prompt,
    Prompted,
)
from engine.prompt import Click
from engine.session import Session
from tests.engine.networks import picture

IMAGES = 6


@pytest.fixture
def folder(tmp_path: Path, toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(toy_models))
    for n in range(IMAGES):
        _, encoded = cv2.imencode(".png", picture(64, 96, n))
        (tmp_path / f"{n}.png").write_bytes(encoded.tobytes())
    return tmp_path


def endings(events: queue.SimpleQueue[Event], orders: int) -> Iterator[Event]:
    """Every event until so many orders have ended."""
    while orders:
        event = events.get(timeout=120)
        orders -= isinstance(event, (Finished, Failed, Canceled))
        yield event


def test_that_a_shown_image_is_predicted_before_the_batch_goes_on(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    choice = ModelChoice("toy", device="cpu")
    with Session(events.put, window=True) as session:
        batch = session.submit(LabelFolder(folder, choice))
        while not isinstance(events.get(timeout=120), ImageLabelled):
            pass
        shown = session.submit(PredictImage(folder / "3.png", 0, choice, generation=7), Priority.SHOWN)
        seen = list(endings(events, 2))
    orders = [event.order for event in seen if isinstance(event, Finished)]
    assert orders == [shown, batch]
    (answer,) = (event for event in seen if isinstance(event, Predicted))
    assert answer.generation == 7
    assert (answer.prediction.width, answer.prediction.height) == (96, 64)
    assert events.empty()


def test_that_an_explanation_does_not_wait_for_a_batch(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    choice = ModelChoice("toy", device="cpu")
    with Session(events.put, window=True) as session:
        batch = session.submit(LabelFolder(folder, choice))
        while not isinstance(events.get(timeout=120), ImageLabelled):
            pass
        asked = session.submit(Explain(folder / "3.png", 0, choice, generation=5), Priority.PROMPT)
        session.submit(PredictImage(folder / "3.png", 0, choice), Priority.SHOWN)
        seen = list(endings(events, 3))
    assert next(event.order for event in seen if isinstance(event, Finished)) == asked
    assert isinstance(seen[-1], Finished)
    assert seen[-1].order == batch
    (answer,) = (event for event in seen if isinstance(event, Explained))
    (predicted,) = (event for event in seen if isinstance(event, Predicted))
    assert answer.generation == 5
    assert len(answer.explanation.prediction) == len(predicted.prediction) > 0


def test_that_a_batch_that_is_canceled_keeps_what_it_finished(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with Session(events.put, window=True) as session:
        batch = session.submit(LabelFolder(folder, ModelChoice("toy", device="cpu")))
        while not isinstance(events.get(timeout=120), ImageLabelled):
            pass
        session.cancel(batch)
        assert list(endings(events, 1))[-1] == Canceled(batch)
        again = session.submit(LabelFolder(folder, ModelChoice("toy", device="cpu")))
        ending = list(endings(events, 1))[-1]
    assert isinstance(ending, Finished)
    assert ending.order == again
    assert ending.summary["up_to_date"] != 0
    assert ending.summary["labelled"] != 0


def test_that_an_order_for_a_model_that_is_not_there_fails_with_a_sentence(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with Session(events.put, window=True) as session:
        session.submit(LabelFolder(folder, ModelChoice("nothing")))
        (ending,) = endings(events, 1)
    assert isinstance(ending, Failed)
    assert "No model is called 'nothing'" in ending.message


def test_that_closing_a_session_ends_what_it_was_doing(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with Session(events.put, window=True) as session:
        session.submit(LabelFolder(folder, ModelChoice("toy", device="cpu")))
    last = None
    while not events.empty():
        last = events.get()
    assert isinstance(last, (Canceled, Finished))


def test_that_importing_the_session_needs_no_torch() -> None:
    code = "import sys, engine.session; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_that_a_prompt_is_answered_before_the_batch_labels_two_more(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    choice = ModelChoice("toy", device="cpu")
    with Session(events.put, window=True) as session:
        batch = session.submit(LabelFolder(folder, choice))
        while not isinstance(events.get(timeout=120), ImageLabelled):
            pass
        box = (10.0, 10.0, 60.0, 50.0)
        prompt = session.submit(
            Prompt(folder / "3.png", 0, choice, box_xyxy=box, generation=5), Priority.PROMPT
        )
        seen = list(endings(events, 2))
    place = next(n for n, event in enumerate(seen) if isinstance(event, Prompted))
    assert sum(isinstance(event, ImageLabelled) for event in seen[:place]) <= 1
    answer = seen[place]
    assert isinstance(answer, Prompted)
    assert (answer.order, answer.generation) == (prompt, 5)
    assert answer.candidates is not None
    assert [one.box_xyxy for one in answer.candidates] == [box]
    assert [event.order for event in seen if isinstance(event, Finished)] == [prompt, batch]


def test_that_a_picture_written_anew_gets_another_answer(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    request = Prompt(folder / "0.png", 0, ModelChoice("toy", device="cpu"), box_xyxy=(10, 10, 60, 50))
    answers = []
    with Session(events.put, window=True) as session:
        for n in range(3):
            if n == 2:
                _, encoded = cv2.imencode(".png", picture(64, 96, 99))
                (folder / "0.png").write_bytes(encoded.tobytes())
            session.submit(request, Priority.PROMPT)
            (answer,) = (event for event in endings(events, 1) if isinstance(event, Prompted))
            assert answer.candidates
            answers.append(answer.candidates[0])
    assert answers[0] == answers[1]
    assert answers[1].score != pytest.approx(answers[2].score, abs=1e-5)


def test_that_the_best_of_a_click_comes_first_and_the_next_bests_after_it(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    request = Prompt(
        folder / "0.png", 0, ModelChoice("toy", device="cpu"), clicks=(Click(40, 30),), mask_cutoff=0.3
    )
    with Session(events.put, window=True) as session:
        session.submit(request, Priority.PROMPT)
        answers = [event for event in endings(events, 1) if isinstance(event, Prompted)]
    found = [event.candidates or () for event in answers]
    assert [event.more for event in answers] == [True] * (len(answers) - 1) + [False]
    assert [len(one) for one in found[:-1]] == list(range(1, len(answers)))
    assert len(found[-1]) > 1
    assert all(one == found[-1][: len(one)] for one in found)


def test_that_a_rough_outline_is_answered_with_one_mask(folder: Path) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    outside = Mask.from_crop(500, 10, np.ones((20, 20)))
    rough = Mask.from_crop(20, 10, np.ones((30, 40)))
    answers = []
    with Session(events.put, window=True) as session:
        for hint in (rough, outside):
            request = Prompt(folder / "0.png", 0, ModelChoice("toy", device="cpu"), hint=hint)
            session.submit(request, Priority.PROMPT)
            answers += [event.candidates for event in endings(events, 1) if isinstance(event, Prompted)]
    assert [len(found or ()) for found in answers] == [1, 0]
    assert answers[0]
    assert iou(answers[0][0].mask, rough) > 0.6
