"""Prompts: how long a box and a click take from a warm cache, and how long they wait behind a running batch.

One thread, R50-FPN of random weights at side 800, proposals as many as in use. The answers mean nothing; the
work is the same.
"""

from __future__ import annotations

import queue
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import pytest
import torch

from engine.device import number_format
from engine.edges import candidates_at_edges
from engine.messages import (
    Canceled,
    Event,
    Failed,
    Finished,
    ImageLabelled,
    LabelFolder,
    ModelChoice,
    Priority,
    Prompt,
)
from engine.models.store import MODELS_VARIABLE
from engine.models.version import save_version
from engine.predict.predictor import Predictor
from engine.predict.prompts import Prompter
from engine.prediction import Prediction
from engine.prompt import Click
from engine.session import Session
from tests.bench.conftest import Row
from tests.engine.networks import card_of, lively_network, picture

ARCHITECTURE = "maskrcnn_resnet50_fpn"
SIDE, LONG = 800, 1333
CALLS = 40
WAITS = 30


def _milliseconds(seconds: list[float]) -> str:
    ordered = sorted(1000 * one for one in seconds)
    return f"median {statistics.median(ordered):.1f} ms, p95 {ordered[int(0.95 * len(ordered))]:.1f} ms"


@pytest.mark.bench
def test_a_box_and_a_click_from_a_warm_cache(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    network = lively_network(ARCHITECTURE, SIDE, LONG, prompts=True)
    predictor = Predictor(network, card_of(network, ARCHITECTURE), number_format=number_format("cpu"))
    prompter = Prompter(predictor)
    image = picture(600, 800)
    held = prompter.set_image("a", lambda: image)
    taken: dict[str, list[float]] = {}

    def timed(what: str, answer: Callable[[], Prediction], clicks: Sequence[Click] = ()) -> None:
        began = time.perf_counter()
        candidates_at_edges(answer(), held.picture, clicks, 0.5)
        taken.setdefault(what, []).append(time.perf_counter() - began)

    for n in range(CALLS + 3):
        box, click = (100.0 + n, 80.0, 420.0 + n, 500.0), Click(300.0 + n, 250.0)
        timed("mask of a box", partial(prompter.predict_box, held, box))
        # Of a network that learned nothing every score is 1 and each mask must be seen to tell the best.
        one_by_one = prompter.points_one_by_one(held, [click])
        timed("best of a click, five masks tell it", partial(next, one_by_one), [click])
        timed("next best of a click", partial(next, one_by_one), [click])
        with monkeypatch.context() as alone:
            alone.setattr("engine.predict.prompts.OFFERED", 1)
            one_by_one = prompter.points_one_by_one(held, [click])
            timed("best of a click, its own mask tells it", partial(next, one_by_one), [click])
        clicks = [click, Click(200.0 + n, 200.0, positive=n % 2 == 0)]
        timed("mask of a box with two clicks", partial(prompter.refine, held, box, clicks), clicks)
    for what, seconds in taken.items():
        target = "" if what.startswith("next") else f"asked: {80 if 'click' in what else 30} ms"
        row(f"{what}, R50-FPN, one thread, warm", _milliseconds(seconds[3:]), target, "")
    row("kept of a picture of 800 x 1067", f"{held.nbytes / 2**20:.0f} MiB", "", "")


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_the_wait_behind_a_running_batch(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    network = lively_network(ARCHITECTURE, SIDE, LONG, prompts=True)
    version = save_version(tmp_path / "models", "bench-r50", network, card_of(network, ARCHITECTURE))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(60):
        cv2.imwrite(str(folder / f"{n:02}.jpg"), picture(600, 800, n))
    choice = ModelChoice(version.card.name, device="cpu")
    prompt = Prompt(folder / "00.jpg", 0, choice, box_xyxy=(100, 80, 420, 500))
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    draw = random.Random(5)

    def ask(session: Session) -> float:
        began = time.perf_counter()
        order = session.submit(prompt, Priority.PROMPT)
        while True:
            event = events.get(timeout=300)
            assert not isinstance(event, (Failed, Canceled)), event
            if isinstance(event, Finished) and event.order == order:
                return time.perf_counter() - began

    with Session(events.put, window=True) as session:
        ask(session)
        idle = statistics.median(ask(session) for _ in range(10))
        session.submit(LabelFolder(folder, choice))
        while not isinstance(events.get(timeout=300), ImageLabelled):
            pass
        waits = []
        for _ in range(WAITS):
            time.sleep(draw.uniform(0.1, 1.5))
            waits.append(ask(session) - idle)
    row("a box behind a running batch waits, R50-FPN", _milliseconds(waits), "", "")
