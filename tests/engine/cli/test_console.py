"""The progress display where there is no terminal."""

from __future__ import annotations

import pytest

from engine.cli import console
from engine.cli.console import Progress, seconds_in_words


class Clock:
    """Stands for the time module: moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    return lines


def test_that_progress_tells_the_rate_the_time_left_and_the_failures(clock: Clock, said: list[str]) -> None:
    with Progress("labelling", 40) as progress:
        clock.now += 4
        for index in range(8):
            progress.advance(failed=index == 3)
        assert progress.line() == "labelling: 8 of 40 · 2.0 images/s · 16 s left · 1 failed"
    assert said == [progress.line()]


def test_that_a_slow_rate_is_told_in_seconds_a_piece(clock: Clock, said: list[str]) -> None:
    with Progress("training", 10, unit="iterations") as progress:
        clock.now += 8
        progress.advance()
        assert progress.facts() == "8.0 s an iteration · 1 min 12 s left"


def test_that_a_log_gets_a_line_now_and_then_and_one_at_the_end(clock: Clock, said: list[str]) -> None:
    with Progress("labelling", 100) as progress:
        for _ in range(100):
            clock.now += 0.5
            progress.advance()
    assert len(said) == 5 + 1
    assert said[-1].startswith("labelling: 100 of 100")


def test_that_nothing_done_says_nothing(said: list[str]) -> None:
    with Progress("labelling", 0):
        pass
    assert said == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_that_seconds_read_like_a_clock(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


def test_that_markup_in_a_file_name_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.console.cache_clear()
    console.say("cannot read [bold]x[/bold].png")
    assert capsys.readouterr().err == "cannot read [bold]x[/bold].png\n"
    console.console.cache_clear()
