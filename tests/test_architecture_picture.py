"""The picture in ARCHITECTURE.md is of the program as it is."""

from __future__ import annotations

from tests import architecture_picture


def test_that_the_picture_of_the_imports_is_that_of_today() -> None:
    drawn = architecture_picture.PICTURE.read_text(encoding="utf-8")
    assert drawn == architecture_picture.draw(), "the imports changed: run `make docs`"


def test_that_every_part_is_drawn_after_what_it_imports_but_for_a_few_circles() -> None:
    rows = architecture_picture.parts()
    assert {"engine.document", "engine.train", "gui.canvas", "gui.main_window"} <= set(rows)
    late = [
        (row, other)
        for n, row in enumerate(rows)
        for other in rows[n + 1 :]
        if architecture_picture.imports(row, other)
    ]
    assert len(late) <= 10, late
    assert not [pair for pair in late if pair[0].startswith("engine") and pair[1].startswith("gui")]


def test_that_what_the_contracts_forbid_is_shaded() -> None:
    assert architecture_picture.forbidden("engine.project", "Qt")
    assert architecture_picture.forbidden("gui.desk", "engine.worker")
    assert architecture_picture.forbidden("gui.desk", "torch")
    assert not architecture_picture.forbidden("engine.models", "torch")
    assert not architecture_picture.forbidden("gui.desk", "engine.project")
