"""A batch over images on the command line: its progress, its failures, Ctrl+C."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from engine.cli.console import Progress, say
from engine.errors import MaskwrightError
from engine.messages import (
    Canceled,
    Event,
    Failed,
    ImageFailed,
    ImageLabelled,
    ImageUpgraded,
    LabelFolder,
    UpgradeBoxes,
)
from engine.messages import Progress as Pace
from engine.session import run_to_end


class Outcome(Protocol):
    """What a batch notes of itself."""

    failures: list[str]
    canceled: bool


def carry_out(
    request: LabelFolder | UpgradeBoxes, doing: str, outcome: Outcome, note: Callable[[Event], None]
) -> None:
    """Run a batch to its end or to Ctrl+C; `note` is told of every event that is not of progress or an end.

    doing: what the progress is called. Raises MaskwrightError if the batch cannot start.
    """
    display: Progress | None = None
    events = run_to_end(request)
    with ExitStack() as stack:
        try:
            for event in events:
                match event:
                    case Pace() if display is None and event.total:
                        display = stack.enter_context(Progress(doing, event.total))
                    case ImageFailed():
                        outcome.failures.append(event.reason)
                        if display:
                            display.advance(failed=True)
                        say(f"failed: {event.reason}")
                    case Failed():
                        raise MaskwrightError(event.message)
                    case Canceled():
                        outcome.canceled = True
                    case _:
                        note(event)
                        if display and isinstance(event, ImageLabelled | ImageUpgraded):
                            display.advance()
        except KeyboardInterrupt:
            outcome.canceled = True
        finally:
            events.close()
