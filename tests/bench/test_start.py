"""From the command to the window: when the splash, the window and the picture are seen, and input is taken.

Each start is a process of its own, as a person starts it, without a display and, where there is one to be
had, on an X server; the first start warms the disk's cache and does not count.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.bench.conftest import Row

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
STARTS = 5
VISIBLE_S = 1.5


def start(command: list[str], folder: Path, home: Path, platform: str) -> dict[str, float]:
    """Seconds from the start of the process to each first."""
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        environment[name] = str(home / name)
    ended = subprocess.run(
        [*command, sys.executable, "-m", "tests.bench.start_probe", str(time.monotonic()), str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, float] = {}
    for line in ended.stdout.splitlines():
        found |= json.loads(line)
    return found


@pytest.mark.parametrize("platform", ["offscreen", "xcb"])
def test_that_the_window_is_seen_soon_after_the_start(platform: str, tmp_path: Path, row: Row) -> None:
    command: list[str] = []
    if platform == "xcb":
        if shutil.which("xvfb-run") is None:
            pytest.skip("there is no xvfb-run")
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
    folder = tmp_path / "samples"
    shutil.copytree(ROOT / "resources" / "samples", folder)
    starts = [start(command, folder, tmp_path, platform) for _ in range(STARTS + 1)][1:]
    medians = {what: float(np.median([one[what] for one in starts])) for what in starts[0]}
    for what, seconds in medians.items():
        worst = max(one[what] for one in starts)
        row(
            f"start to {what} ({platform}), median of {STARTS}",
            f"{seconds:.2f} s",
            f"worst {worst:.2f} s",
            "",
        )
    assert medians["splash"] <= medians["window"] <= medians["input"]
    assert medians["window"] <= VISIBLE_S
