"""COCO JSON in and out: 100,000 images with 500,000 instances under 90 s and 60 s, on two cores under 2 GB.

`make bench` takes 5,000 images; with EXCHANGE_IMAGES=100000 in the environment it takes all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.device import core_count
from tests.bench.coco_file import INSTANCES
from tests.bench.conftest import Row

IMAGES = int(os.environ.get("EXCHANGE_IMAGES", "5000"))
WHOLE, IMPORT_S, EXPORT_S, PEAK_MB = 100_000, 90, 60, 2000
START_S = 4  # of the other processes, which a small file pays too


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_coco_in_and_out(row: Row) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.exchange_program", str(IMAGES)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    share = IMAGES / WHOLE
    what = f"COCO JSON of {IMAGES:,} images, {IMAGES * INSTANCES:,} instances, {found['file_mb']:.0f} MB"
    row(f"import, {what}", f"{found['import_s']:.1f} s", f"{IMPORT_S * share + START_S:.1f} s allowed", "")
    row(f"export, {what}", f"{found['export_s']:.1f} s", f"{EXPORT_S * share + START_S:.1f} s allowed", "")
    peak = found["peak_mb"] + core_count() * found["child_peak_mb"]
    row("peak memory, all processes", f"{peak:,.0f} MB", f"{PEAK_MB:,} MB allowed", "")
    assert peak < PEAK_MB
    assert found["import_s"] < IMPORT_S * share + START_S
    assert found["export_s"] < EXPORT_S * share + START_S
