"""What every test may use."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker a core: threads would only wait for each other

import pytest
from hypothesis import settings

# The same examples in every run, so that a change fails for what it changed. `make search` draws others.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.register_profile("search", print_blob=True)
settings.load_profile("repeatable")

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pictures, videos, label files and weights beside the checkout."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("the real data (../shared/data) is not beside this checkout")
    return _SHARED_DATA


Figure = Callable[[str, int], None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """`figure("kills of a batch, no label lost", 100)`: a number to be told when the run with `-s` is over.

    Numbers of one name add up over the tests.
    """
    return lambda name, number: record_property("figure", (name, number))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A line for each figure, and for each file how many of its claims hold."""
    if config.getoption("capture") != "no":
        return
    figures, held = Counter[str](), Counter[str]()
    for report in terminalreporter.getreports("passed"):
        held[report.nodeid.partition("::")[0]] += 1
        for kind, told in report.user_properties:
            if kind == "figure":
                figures[told[0]] += told[1]
    if figures:
        terminalreporter.section("figures")
        for name, number in figures.items():
            terminalreporter.line(f"{number:7,} {name}")
        for file, count in held.items():
            terminalreporter.line(f"{count:7,} claims hold in {file}")
