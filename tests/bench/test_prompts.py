"""Prompts: how long a box and a click take from a warm cache, and how long they wait behind a running batch.

One thread, R50-FPN of random weights at side 800, proposals as many as in use. The answers mean nothing; the
work is the same.
"""

from __future__ import annotations

import queue
import random
import statistics
import time
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
def test_a_box_and_a_click_from_a_warm_cache(row: Row) -> None:
    torch.set_num_threads(1)
    network = lively_network(ARCHITECTURE, SIDE, LONG)
    predictor = Predictor(network, card_of(network, ARCHITECTURE), number_format=number_format("cpu"))
    prompter = Prompter(predictor)
    image = picture(600, 800)
    held = prompter.set_image("a", lambda: image)
    boxes, clicks = [], []
    for n in range(CALLS + 3):
        began = time.perf_counter()
        box = prompter.predict_box(held, (100 + n, 80, 420 + n, 500))
        candidates_at_edges(box, held.picture, (), 0.5)
        boxes.append(time.perf_counter() - began)
        began = time.perf_counter()
        points = prompter.predict_points(held, [Click(300 + n, 250)])
        candidates_at_edges(points, held.picture, [Click(300 + n, 250)], 0.5)
        clicks.append(time.perf_counter() - began)
    row("mask of a box, R50-FPN, one thread, warm", _milliseconds(boxes[3:]), "asked: 30 ms", "")
    row("candidates of a click, R50-FPN, one thread, warm", _milliseconds(clicks[3:]), "asked: 80 ms", "")
    row("kept of a picture of 800 x 1067", f"{held.nbytes / 2**20:.0f} MiB", "", "")


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_the_wait_behind_a_running_batch(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    network = lively_network(ARCHITECTURE, SIDE, LONG)
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
