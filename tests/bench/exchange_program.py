"""Imports a COCO file and exports it again, as the commands do: `exchange_program N [PLACE]`.

In a process of its own, so that the peak of its memory is its alone. Prints one line of JSON. PLACE: where
`pictures` may have been made before.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from engine.exchange.exporting import ExportOptions, export
from engine.exchange.importing import prepare
from engine.project import Project
from tests.bench import coco_file


def measure(images: int, place: Path) -> dict[str, float]:
    """Seconds, and the peak of the resident memory in MB. The pictures' sizes are not known before."""
    folder = place / "pictures"
    file = folder / "annotations.json"
    if not file.exists():
        coco_file.make(folder, images)
    figures: dict[str, float] = {"images": images, "file_mb": file.stat().st_size / 1e6}
    with Project.open(folder) as project:
        began = time.perf_counter()
        project.refresh()
        figures["refresh_s"] = time.perf_counter() - began
        began, busy = time.perf_counter(), time.process_time()
        with prepare(file, project=project) as prepared:
            figures["prepare_s"] = time.perf_counter() - began
            figures["prepare_cpu_s"] = time.process_time() - busy
            assert prepared.summary.instances == images * coco_file.INSTANCES, prepared.summary.lines()
            done = prepared.commit(project, reviewed=True)
        figures["import_s"] = time.perf_counter() - began
        figures["import_cpu_s"] = time.process_time() - busy
        others = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures["others_cpu_s"] = others.ru_utime + others.ru_stime
        assert done.instances == images * coco_file.INSTANCES
        figures["import_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        began, busy = time.perf_counter(), time.process_time()
        report = export(project, ExportOptions("coco", place / "out"))
        figures["export_s"] = time.perf_counter() - began
        figures["export_cpu_s"] = time.process_time() - busy
        assert report.instances == images * coco_file.INSTANCES
        figures["database_mb"] = project.database.stat().st_size / 1e6
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    figures["child_peak_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    return figures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="exchange-") as temporary:
        where = Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
        print(json.dumps(measure(int(sys.argv[1]), where)), flush=True)
