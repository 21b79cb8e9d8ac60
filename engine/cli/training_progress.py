"""The progress of a training run on the error stream: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from engine.cli.console import SECONDS_BETWEEN_LINES, console, say, seconds_in_words
from engine.train.events import Measured, Started, Stepped

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SMOOTH = 0.05
"""Share of the newest step in the loss that is shown: single steps jump about."""


class TrainingProgress:
    """Shows step, loss, rate and time left. Use it as a context manager."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._loss: float | None = None
        self._first: Stepped | None = None
        self._began = self._spoke = time.monotonic()

    def __enter__(self) -> Self:
        if console().is_terminal:
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[facts]}", markup=False),
                console=console(),
            )
            self._task = self._bar.add_task("training", total=1.0, facts="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: Started | Stepped | Measured) -> None:
        """Say what is new."""
        match event:
            case Started():
                say(started_in_words(event))
            case Measured():
                value = event.metrics.get("mask_ap", event.metrics.get("box_ap", 0.0))
                best = ", the best yet" if event.is_best else ""
                say(f"step {event.step}: AP {value:.3f} on the images held out{best}")
            case Stepped():
                self._show_step(event)

    def _show_step(self, event: Stepped) -> None:
        self._first = self._first or event
        if event.skipped:
            say(f"step {event.step} is left out: its loss is not a finite number")
        else:
            before = event.loss if self._loss is None else self._loss
            self._loss = before + SMOOTH * (event.loss - before)
        facts = self.facts(event)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=event.progress, facts=facts)
        elif time.monotonic() - self._spoke >= SECONDS_BETWEEN_LINES or event.progress >= 1.0:
            self._spoke = time.monotonic()
            say(f"training: {facts}")

    def facts(self, event: Stepped) -> str:
        """The figures of a step in one line."""
        loss = "not finite" if self._loss is None else f"{self._loss:.3f}"
        parts = [f"step {event.step}", f"loss {loss}"]
        first = self._first
        if first is not None and event.step > first.step:
            pace = (event.seconds - first.seconds) / (event.step - first.step)
            parts.append(f"{1 / pace:.1f} steps/s" if pace < 1 else f"{pace:.1f} s a step")
            gained = event.progress - first.progress
            if gained > 0:
                left = (event.seconds - first.seconds) * (1.0 - event.progress) / gained
                parts.append(f"{seconds_in_words(left)} left")
        return " · ".join(parts)


def started_in_words(event: Started) -> str:
    """What the run is about to do, in one line."""
    again = f", going on after step {event.step}" if event.step else ""
    kept = f", {event.held_out} more held out to choose the best weights" if event.held_out else ""
    return (
        f"training on {event.images} images with {event.instances} instances{kept}; short side "
        f"{event.min_size} px, smallest anchor {event.anchor_base} px{again}"
    )
