"""Mutated files of every format end in images or in an error of the project's own, and soon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.formats.registry import formats

_ROOT = Path(__file__).parents[3]
_NAMES = [one.name for one in formats().values() if one.can_read and one.can_write]


def _fuzz(names: str, count: int, seed: int, seconds: float) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.formats.fuzz_child", names, str(count), str(seed)],
        cwd=_ROOT, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_that_fifty_mutated_files_of_each_format_do_no_harm() -> None:
    _fuzz(",".join(_NAMES), 50, 1, 240)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", _NAMES)
def test_that_two_thousand_mutated_files_do_no_harm(name: str) -> None:
    _fuzz(name, 2000, 2, 1500)
