"""What the commands share: lines on the error stream and a progress display.

Results go to standard output (`click.echo`), everything said on the way to standard error, so that
`--json` output can be piped. In a terminal the progress is a bar; elsewhere (a log, a CI run) it
is a line now and then. rich is imported when something is shown, not before.
"""

from __future__ import annotations

import time
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 10.0


@cache
def console() -> Console:
    """The one rich console on standard error; it never wraps, colours or reflows what it is given."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """One line for the person, above the progress display if there is one. Markup is not read."""
    console().print(line, markup=False)


def seconds_in_words(seconds: float) -> str:
    """`42 s`, `3 min 5 s` or `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


class Display:
    """How far something is, on the error stream: a bar in a terminal, elsewhere a line now and then.

    Use it as a context manager. `counted`: in a terminal `3/40` is shown, else per cent.
    """

    def __init__(self, doing: str, total: float, *, counted: bool) -> None:
        self.doing, self.total, self.counted = doing, total, counted
        self._spoke = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._spoke = time.monotonic()
        if console().is_terminal:
            self._bar = _bar(counted=self.counted)
            self._task = self._bar.add_task(self.doing, total=self.total, facts="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def is_bar(self) -> bool:
        """Whether there is a bar, which says all by itself."""
        return self._bar is not None

    def show(self, completed: float, facts: str, line: str, *, at_once: bool = False) -> None:
        """Show the facts beside the bar, or the line if the last is long ago or this one is due at once."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=completed, facts=facts)
        elif at_once or time.monotonic() - self._spoke >= SECONDS_BETWEEN_LINES:
            self._spoke = time.monotonic()
            say(line)


class Progress:
    """Progress over `total` things with their rate, the time left and the failures.

    Use it as a context manager and call `advance` for each thing done. `unit` is the plural that
    people read: images, iterations. The rate counts from the first thing begun in this run.
    """

    def __init__(self, doing: str, total: int, *, unit: str = "images") -> None:
        self.doing, self.total, self.unit = doing, total, unit
        self.done = self.failed = 0
        self._began = time.monotonic()
        self._display = Display(doing, total, counted=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, traceback)
        if self.done and not self._display.is_bar:
            say(self.line())

    def advance(self, *, failed: bool = False, note: str = "") -> None:
        """One more is done, or has failed. `note` is shown beside the figures (a loss, a file)."""
        self.done += 1
        self.failed += failed
        tail = f" · {note}" if note else ""
        self._display.show(self.done, self.facts() + tail, self.line() + tail)

    def rate(self) -> float:
        """Things a second so far; 0 before the first."""
        elapsed = time.monotonic() - self._began
        return self.done / elapsed if elapsed > 0 else 0.0

    def facts(self) -> str:
        """The rate, the time left and the failures, as shown."""
        rate = self.rate()
        parts = [
            f"{rate:.1f} {self.unit}/s" if rate >= 1 or rate == 0 else f"{1 / rate:.1f} s an {self.unit[:-1]}"
        ]
        if rate > 0 and self.done < self.total:
            parts.append(f"{seconds_in_words((self.total - self.done) / rate)} left")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return " · ".join(parts)

    def line(self) -> str:
        """The whole progress as one line."""
        return f"{self.doing}: {self.done} of {self.total} · {self.facts()}"


def _bar(*, counted: bool) -> RichProgress:
    from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn() if counted else TaskProgressColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
        console=console(),
    )
