"""What every measurement shares: the machine's name and load, and rows to paste into docs/results.md."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from engine.device import core_count, cpu_name

Row = Callable[[str, str, str, str], None]


@pytest.fixture(scope="session", autouse=True)
def _machine() -> None:
    busy, _, _ = psutil.getloadavg()
    print(f"\n{cpu_name()}, {core_count()} cores; load at the start {busy:.1f}")
    print("| what | ours | theirs | ratio |\n|---|---|---|---|")


@pytest.fixture
def row() -> Row:
    """Print one row: what, ours, theirs, ratio."""

    def show(what: str, ours: str, theirs: str, ratio: str) -> None:
        print(f"| {what} | {ours} | {theirs} | {ratio} |")

    return show
