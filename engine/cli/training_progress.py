"""The progress of a training run on the error stream: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from engine.cli.console import Display, say, seconds_in_words
from engine.messages import Preparing, TuningNews
from engine.train.events import (
    EndedEarly,
    Fetching,
    Measured,
    Measuring,
    Noted,
    Started,
    Stepped,
    TrainEvent,
)

SMOOTH = 0.05
"""Share of the newest step in the loss that is shown: single steps jump about."""


class TrainingProgress:
    """Shows step, loss, rate and time left. Use it as a context manager."""

    def __init__(self) -> None:
        self._display = Display("training", 1.0, counted=False)
        self._loss: float | None = None
        self._done = 0.0

    def __enter__(self) -> Self:
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, traceback)

    def show(self, event: TrainEvent | TuningNews) -> None:
        """Say what is new. Endings and saved restart files are not shown here."""
        match event:
            case Noted(text):
                say(text)
            case Started():
                say(started_in_words(event))
            case Stepped():
                self._show_step(event)
            case Fetching(name, done, total):
                of = f" of {total / 1e6:.0f}" if total else ""
                self._show_other(f"downloading {name}: {done / 1e6:.0f}{of} MB")
            case Measuring(done, total):
                self._show_other(f"measuring: {done} of {total} images")
            case Preparing(done, total):
                self._show_other(f"looking at newly reviewed images: {done} of {total}")
            case Measured():
                value = event.metrics.get("mask_ap", event.metrics.get("box_ap", 0.0))
                best = ", the best yet" if event.is_best else ""
                say(f"step {event.step}: AP {value:.3f} on the images held out{best}")
            case EndedEarly():
                say(
                    f"training ends early, after step {event.step}: AP on the images held out has not risen "
                    f"in the last {event.measurements} measurements; the weights of step {event.best_step} "
                    "are kept"
                )

    def _show_step(self, event: Stepped) -> None:
        if event.skipped:
            say(f"step {event.step} is left out: its loss is not a finite number")
        else:
            before = event.loss if self._loss is None else self._loss
            self._loss = before + SMOOTH * (event.loss - before)
        self._done = event.progress
        facts = self.facts(event)
        self._display.show(event.progress, facts, f"training: {facts}", at_once=event.progress >= 1.0)

    def _show_other(self, facts: str) -> None:
        self._display.show(self._done, facts, facts)

    def facts(self, event: Stepped) -> str:
        """The figures of a step in one line."""
        loss = "not finite" if self._loss is None else f"{self._loss:.3f}"
        parts = [f"step {event.step}", f"loss {loss}"]
        pace = event.seconds_a_step
        if pace:
            parts.append(f"{1 / pace:.1f} steps/s" if pace < 1 else f"{pace:.1f} s a step")
        if event.seconds_left is not None:
            parts.append(f"{seconds_in_words(event.seconds_left)} left")
        return " · ".join(parts)


def started_in_words(event: Started) -> str:
    """What the run is about to do, in one line."""
    again = f", going on after step {event.step}" if event.step else ""
    kept = f", {event.held_out} more held out to choose the best weights" if event.held_out else ""
    return (
        f"training on {event.images} images with {event.instances} instances{kept}; short side "
        f"{event.min_size} px, smallest anchor {event.anchor_base} px{again}"
    )
