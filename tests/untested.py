"""Name the modules that the tests never run: `python -m tests.untested out/coverage.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

LEAST = 0.5
"""A module of which less than this share of its lines ran counts as untested."""


def untested(report: dict[str, object]) -> list[str]:
    """A line for each module below LEAST, from coverage's JSON report; empty modules do not count."""
    files = report["files"]
    assert isinstance(files, dict)
    found = []
    for name, about in sorted(files.items()):
        summary = about["summary"]
        if summary["num_statements"] and summary["covered_lines"] < LEAST * summary["num_statements"]:
            found.append(f"{name}: {summary['covered_lines']} of {summary['num_statements']} lines")
    return found


def main(file: Path) -> int:
    """Print them; returns 1 where there is one."""
    report = json.loads(file.read_text(encoding="utf-8"))
    found = untested(report)
    print(f"lines run by a test: {report['totals']['percent_covered_display']} %")
    print("\n".join(found) or "no module is untested")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
