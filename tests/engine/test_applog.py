"""What is kept of a run that went wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRASH = """
import ctypes
from engine import applog
applog.configure(verbose=False)
with applog.crashes_told():
    ctypes.string_at(0)
"""


def run(program: str, home: Path) -> subprocess.CompletedProcess[str]:
    places = dict.fromkeys(("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"), str(home))
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **places}, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def test_that_a_crash_in_native_code_leaves_its_stack_and_is_told_the_next_time(tmp_path: Path) -> None:
    assert run(CRASH, tmp_path).returncode != 0
    (left,) = tmp_path.rglob("crash.log")
    assert "string_at" in left.read_text(encoding="utf-8")
    assert run(CRASH.replace("ctypes.string_at(0)", "pass"), tmp_path).returncode == 0
    (log,) = tmp_path.rglob("maskwright.log")
    assert "an earlier run crashed" in log.read_text(encoding="utf-8")


def test_that_a_run_that_ends_well_leaves_an_empty_file(tmp_path: Path) -> None:
    assert run(CRASH.replace("ctypes.string_at(0)", "pass"), tmp_path).returncode == 0
    (left,) = tmp_path.rglob("crash.log")
    assert left.read_text(encoding="utf-8") == ""
