"""A drive that goes while somebody draws, and comes back: nothing is lost, and nobody has to start anew.

A batch whose drive goes is in test_kills.py. Linux with a C compiler only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Figure

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloading a library is Linux's way")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the fault library needs gcc")
def test_that_a_window_outlives_its_drive(tmp_path: Path, figure: Figure) -> None:
    library = tmp_path / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    options = ["-q", "-p", "no:cacheprovider", "--timeout=150"]
    steps = [sys.executable, "-m", "pytest", *options, "tests/faults/drive_steps.py"]
    preloaded = {**os.environ, "LD_PRELOAD": str(library), "FAULT_LIBRARY": str(library)}
    done = subprocess.run(
        steps, cwd=ROOT, env=preloaded, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
    figure("drive gone and back under the window: every edit saved, no restart", 1)
