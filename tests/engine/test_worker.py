"""The worker: most urgent first, cancel at the next step, exactly one ending an order."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import MaskwrightError
from engine.messages import (
    Canceled,
    Ending,
    Event,
    Failed,
    Finished,
    ImageLabelled,
    LabelFolder,
    ModelChoice,
    OrderId,
    Priority,
    Request,
)
from engine.worker import Job, Worker


def request(name: str) -> LabelFolder:
    return LabelFolder(Path(name), ModelChoice("any"))


class Stage:
    """A worker whose jobs are scripted by the tests, one step a permit."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.permits = threading.Semaphore(0)
        self.steps: list[str] = []
        self.closed: list[str] = []
        self.worker = Worker(self._start, self.events.put)
        self.worker.start()

    def _start(self, order: OrderId, asked: Request) -> Job:
        assert isinstance(asked, LabelFolder)
        return self._job(order, asked.folder.name)

    def _job(self, order: OrderId, name: str) -> Job:
        if name == "wrong":
            raise MaskwrightError("The folder is not there.")
        if name == "broken":
            raise ZeroDivisionError("by nothing")
        try:
            for step in range(3):
                self.permits.acquire()
                self.steps.append(f"{name}{step}")
                yield None if name == "silent" else ImageLabelled(order, step, name, 0)
        except GeneratorExit:
            self.closed.append(name)
            raise
        return {"images": 3}

    def ending_of(self, order: OrderId) -> Ending:
        while True:
            event = self.events.get(timeout=10)
            if isinstance(event, (Finished, Failed, Canceled)) and event.order == order:
                return event

    def wait_for(self, condition: Callable[[Event], bool]) -> None:
        while not condition(self.events.get(timeout=10)):
            pass


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.worker.close()
    stage.permits.release(100)
    stage.worker.join(10)
    assert not stage.worker.is_alive()


def test_that_a_job_gives_way_between_steps_that_tell_nothing(stage: Stage) -> None:
    stage.worker.submit(1, request("silent"), Priority.BATCH)
    stage.permits.release(1)
    deadline = time.monotonic() + 10
    while stage.steps != ["silent0"] and time.monotonic() < deadline:
        time.sleep(0.001)
    stage.worker.submit(2, request("a"), Priority.PROMPT)
    stage.permits.release(5)
    assert stage.ending_of(2) == Finished(2, {"images": 3})
    assert stage.ending_of(1) == Finished(1, {"images": 3})
    # The worker may have been at its next step already when the order came.
    begun = stage.steps.index("a0")
    assert begun <= 2
    assert stage.steps[begun : begun + 3] == ["a0", "a1", "a2"]


def test_that_a_job_ends_once_with_its_summary(stage: Stage) -> None:
    stage.permits.release(3)
    stage.worker.submit(1, request("a"), Priority.BATCH)
    assert stage.ending_of(1) == Finished(1, {"images": 3})
    assert stage.events.empty()


def test_that_an_urgent_order_runs_between_two_steps_of_a_batch(stage: Stage) -> None:
    stage.permits.release(1)
    stage.worker.submit(1, request("batch"), Priority.BATCH)
    stage.wait_for(lambda event: isinstance(event, ImageLabelled))
    stage.worker.submit(2, request("prompt"), Priority.PROMPT)
    stage.permits.release(5)
    stage.ending_of(1)
    # The batch may have entered its second step before the prompt came, but not its third.
    assert stage.steps.index("prompt2") < stage.steps.index("batch2")


def test_that_cancel_closes_the_job_and_ends_it_once(stage: Stage) -> None:
    stage.permits.release(1)
    stage.worker.submit(1, request("a"), Priority.BATCH)
    stage.wait_for(lambda event: isinstance(event, ImageLabelled))
    stage.worker.cancel(1)
    stage.permits.release(1)
    assert stage.ending_of(1) == Canceled(1)
    assert stage.closed == ["a"]
    stage.worker.cancel(1)  # an order that has ended is left alone
    stage.permits.release(3)
    stage.worker.submit(2, request("b"), Priority.BATCH)
    assert stage.ending_of(2) == Finished(2, {"images": 3})


def test_that_a_waiting_order_is_canceled_without_being_started(stage: Stage) -> None:
    stage.permits.release(1)
    stage.worker.submit(1, request("a"), Priority.BATCH)
    stage.wait_for(lambda event: isinstance(event, ImageLabelled))
    stage.worker.submit(2, request("later"), Priority.BATCH)
    stage.worker.cancel(2)
    stage.permits.release(1)
    assert stage.ending_of(2) == Canceled(2)
    stage.permits.release(1)
    assert stage.ending_of(1) == Finished(1, {"images": 3})
    assert not any(step.startswith("later") for step in stage.steps)


def test_that_a_known_error_is_passed_on_as_its_sentence(stage: Stage) -> None:
    stage.worker.submit(1, request("wrong"), Priority.BATCH)
    assert stage.ending_of(1) == Failed(1, "The folder is not there.")


def test_that_an_unforeseen_error_fails_its_order_and_not_the_worker(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.worker.submit(1, request("broken"), Priority.BATCH)
    ending = stage.ending_of(1)
    assert isinstance(ending, Failed)
    assert "ZeroDivisionError" in ending.message
    assert "by nothing" in caplog.text
    stage.permits.release(3)
    stage.worker.submit(2, request("a"), Priority.BATCH)
    assert stage.ending_of(2) == Finished(2, {"images": 3})


def test_that_closing_ends_every_order(stage: Stage) -> None:
    stage.permits.release(1)
    for order in (1, 2, 3):
        stage.worker.submit(order, request(f"job{order}"), Priority.BATCH)
    stage.wait_for(lambda event: isinstance(event, ImageLabelled))
    stage.worker.close()
    stage.permits.release(1)
    stage.worker.join(10)
    endings = []
    while not stage.events.empty():
        endings.append(stage.events.get())
    assert sorted(e.order for e in endings if isinstance(e, Canceled)) == [1, 2, 3]
    with pytest.raises(RuntimeError):
        stage.worker.submit(4, request("late"), Priority.BATCH)
