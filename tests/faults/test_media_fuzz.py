"""Mutated pictures and films end in pixels or in a sentence, and soon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Figure

ROOT = Path(__file__).resolve().parents[2]


def fuzz(count: int, seed: int, seconds: float) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.media_fuzz_child", str(count), str(seed)],
        cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_that_some_mutated_pictures_and_films_do_no_harm() -> None:
    assert "150 files" in fuzz(150, 1, 240)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_two_thousand_mutated_pictures_and_films_do_no_harm(figure: Figure) -> None:
    assert "2000 files" in fuzz(2000, 2, 1500)
    figure("mutated pictures and films: no crash, no hang, each pixels or a sentence", 2000)
