"""The picture in ARCHITECTURE.md: who imports whom, and what the import contracts forbid.

`python -m tests.architecture_picture` draws docs/pictures/architecture.svg from the sources and from the
contracts in pyproject.toml. A row imports the columns that are filled; what stands above imports nothing of
what stands below.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
LIBRARIES = {"Qt": ("PySide6", "shiboken6"), "torch": ("torch", "torchvision", "safetensors")}
CELL, LEFT, TOP = 13, 150, 90
INK, RULE, FILLED, FORBIDDEN, CYCLE = "#24292f", "#d8dee4", "#0969da", "#ffebe9", "#bf8700"


@cache
def graph() -> grimp.ImportGraph:
    """Every import of the program, those for types left out."""
    return grimp.build_graph(
        "engine", "gui", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def parts() -> list[str]:
    """The packages and modules below engine and gui, each after all that it imports."""
    names = sorted(graph().find_children("engine") | graph().find_children("gui"))
    waiting = {name: {other for other in names if other != name and imports(name, other)} for name in names}
    ordered: list[str] = []
    while waiting:
        candidates = [name for name in waiting if name.startswith("engine.")] or list(waiting)
        first = min(candidates, key=lambda name: _rank(name, waiting))
        ordered.append(first)
        del waiting[first]
    return ordered


def _rank(name: str, waiting: Mapping[str, set[str]]) -> tuple[int, bool, int, str]:
    """In a circle nobody is free: of the innermost one, who waits for the fewest goes first."""
    behind = _behind(name, waiting)
    return len(behind), name not in behind, len(waiting[name] & waiting.keys()), name


def _behind(name: str, waiting: Mapping[str, set[str]]) -> set[str]:
    """All that must still be drawn before a part, itself too where it is in a circle."""
    found: set[str] = set()
    todo = [name]
    while todo:
        new = (waiting[todo.pop()] & waiting.keys()) - found
        found |= new
        todo += new
    return found


def imports(importer: str, imported: str) -> bool:
    """Whether anything of one part imports anything of another, or a library by the name in LIBRARIES."""
    inside = {importer} | graph().find_descendants(importer)
    targets: Iterable[str] = LIBRARIES.get(imported) or {imported} | graph().find_descendants(imported)
    known = graph().modules
    return any(
        graph().find_modules_that_directly_import(target) & inside for target in targets if target in known
    )


def contracts() -> list[dict[str, Any]]:
    """The contracts of the kind "forbidden", as they stand in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "forbidden"]


def forbidden(importer: str, imported: str) -> bool:
    """Whether a contract forbids it, and does not except the importer as a whole."""
    targets = LIBRARIES.get(imported, (imported,))
    for contract in contracts():
        sources = contract["source_modules"]
        excepted = [line.split(" -> ")[0].removesuffix(".**") for line in contract.get("ignore_imports", ())]
        if (
            any(importer == source or importer.startswith(f"{source}.") for source in sources)
            and any(_within(target, contract["forbidden_modules"]) for target in targets)
            and not any(fnmatch(importer, pattern) for pattern in excepted)
        ):
            return True
    return False


def _within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def draw() -> str:
    """The picture as SVG text, the same for the same sources."""
    rows = parts()
    columns = [*LIBRARIES, *rows]
    width, height = LEFT + CELL * len(columns) + 50, TOP + CELL * len(rows) + 60
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="10"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    places: Mapping[str, int] = {name: n for n, name in enumerate(columns)}
    for n, name in enumerate(columns):
        turned = f"translate({LEFT + CELL * n + 9},{TOP - 6}) rotate(-60)"
        lines.append(f'<text transform="{turned}" fill="{INK}">{_short(name)}</text>')
    for m, row in enumerate(rows):
        y = TOP + CELL * m
        lines.append(f'<text x="{LEFT - 8}" y="{y + 10}" text-anchor="end" fill="{INK}">{row}</text>')
        lines.append(
            f'<path d="M{LEFT} {y + CELL}h{CELL * len(columns)}" stroke="{RULE}" stroke-width="0.5"/>'
        )
        colours = [_colour(row, column, places) for column in columns]
        for colour in sorted(set(colours) - {""}):
            cells = [LEFT + CELL * n for n, one in enumerate(colours) if one == colour]
            lines.append(_cells(cells, y, colour))
    y = TOP + CELL * len(rows) + 26
    legend = (
        (FILLED, "imports"),
        (FORBIDDEN, "forbidden by a contract"),
        (CYCLE, "a circle, closed by imports inside functions"),
    )
    for n, (colour, words) in enumerate(legend):
        lines.append(_cells([LEFT + 210 * n], y, colour))
        lines.append(f'<text x="{LEFT + 210 * n + CELL + 6}" y="{y + 10}" fill="{INK}">{words}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _colour(row: str, column: str, places: Mapping[str, int]) -> str:
    if row == column:
        return RULE
    if imports(row, column):
        return CYCLE if column not in LIBRARIES and places[column] > places[row] else FILLED
    return FORBIDDEN if forbidden(row, column) else ""


def _cells(places: list[int], y: int, colour: str) -> str:
    squares = "".join(f"M{x} {y}h{CELL}v{CELL}h-{CELL}z" for x in places)
    return f'<path fill="{colour}" d="{squares}"/>'


def _short(name: str) -> str:
    return name.removeprefix("engine.").removeprefix("gui.")


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
