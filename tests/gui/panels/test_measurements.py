"""The table of measurements follows the image, selects what is clicked, and measures a whole project."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from engine.document.masks import Mask
from engine.document.records import Instance, new_id
from engine.measure.scale import PIXELS, Scale
from gui.dialogs.measurements import ScaleDialog
from gui.measuring import Measuring, Scope
from gui.panels.measurements import MeasurementsPanel, number_text
from tests.gui.panels.conftest import Place


@pytest.fixture
def panel(place: Place) -> Iterator[MeasurementsPanel]:
    measuring = Measuring(place.desk)
    made = MeasurementsPanel(place.desk, measuring)
    made.resize(800, 600)
    made.show()
    place.show("a.png")
    place.wait(lambda: areas(made) == ["36"])
    yield made
    measuring.close()
    made.close()
    made.deleteLater()


def cell(panel: MeasurementsPanel, row: int, column: int) -> str:
    return str(panel.model.data(panel.model.index(row, column)))


def areas(panel: MeasurementsPanel) -> list[str]:
    return [cell(panel, row, 3) for row in range(panel.model.rowCount())]


def draw(place: Place, side: int, x: int) -> int:
    one = Instance(
        new_id(), place.class_named("nut").id, Mask.from_crop(x, 20, np.ones((side, side), np.bool_))
    )
    with place.editor.edit("Draw"):
        assert place.editor.document is not None
        place.editor.document.add(one)
    return one.id


def test_that_the_table_follows_what_is_drawn(place: Place, panel: MeasurementsPanel) -> None:
    draw(place, 3, 30)
    place.wait(lambda: sorted(areas(panel)) == ["36", "9"])
    assert {cell(panel, row, 1) for row in range(2)} == {"bolt", "nut"}
    place.desk.saving.undo()
    place.wait(lambda: areas(panel) == ["36"])


def test_that_proposals_count_as_they_are_seen(place: Place, panel: MeasurementsPanel) -> None:
    place.show("b.png")
    place.wait(lambda: panel.model.rowCount() == 2)
    assert sorted(cell(panel, row, 2) for row in range(2)) == ["0.55", "0.90"]


def test_that_a_row_selects_its_instance_and_a_bar_selects_all_of_it(
    place: Place, panel: MeasurementsPanel
) -> None:
    small, other, big = draw(place, 2, 20), draw(place, 2, 26), draw(place, 7, 36)
    place.wait(lambda: panel.model.rowCount() == 4)
    row = next(n for n, one in enumerate(panel.model.rows) if one.instance_id == big)
    rect = panel.table.visualRect(panel.model.index(row, 3))
    QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert place.editor.selection == (big,)
    QTest.mouseClick(panel.histogram, Qt.MouseButton.LeftButton, pos=QPoint(2, 20))
    assert set(place.editor.selection) == {small, other}
    assert (panel.histogram.counts[0], panel.histogram.counts.sum()) == (2, 4)


def test_that_sorting_keeps_rows_with_their_figures(place: Place, panel: MeasurementsPanel) -> None:
    draw(place, 2, 20)
    draw(place, 7, 36)
    place.wait(lambda: panel.model.rowCount() == 3)
    panel.table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert areas(panel) == ["49", "36", "4"]
    assert [one.figures.area for one in panel.model.rows] == [49, 36, 4]
    panel.table.sortByColumn(3, Qt.SortOrder.AscendingOrder)
    assert areas(panel) == ["4", "36", "49"]


def test_that_a_whole_project_is_measured_and_a_row_leads_to_its_image(
    place: Place, panel: MeasurementsPanel
) -> None:
    place.settle()
    panel.scope.setCurrentIndex(1)
    place.wait(lambda: panel.model.rowCount() == 3)
    row = next(n for n, one in enumerate(panel.model.rows) if one.score > 0.8)
    assert cell(panel, row, 0) == "b.png"
    panel.select_rows([row])
    wanted = panel.model.rows[row].instance_id
    place.wait(lambda: place.editor.shown is not None and place.editor.shown.item.path == "b.png")
    place.wait(lambda: place.editor.selection == (wanted,))
    assert "cover" in panel.summary.text()


def test_that_a_scale_gives_units(place: Place, panel: MeasurementsPanel) -> None:
    measuring = panel._measuring
    measuring.keep_scale(Scale(0.5, "mm"), for_image=False)
    place.wait(lambda: areas(panel) == ["9"])
    assert panel.model.titles[3] == "Area (mm²)"
    assert panel.scale.text() == "1 px = 0.5 mm"
    measuring.keep_scale(Scale(2, "µm"), for_image=True)
    place.wait(lambda: areas(panel) == ["144"])
    measuring.keep_scale(None, for_image=True)
    place.wait(lambda: areas(panel) == ["9"])


def test_that_the_table_is_written_as_it_is_measured(
    place: Place, panel: MeasurementsPanel, tmp_path: Path
) -> None:
    said: list[str] = []
    panel._measuring.said.connect(said.append)
    place.settle()
    panel._measuring.set_scope(Scope.PROJECT)
    place.wait(lambda: panel.model.rowCount() == 3)
    panel._measuring.write(tmp_path / "t.csv")
    place.wait(lambda: said)
    with (tmp_path / "t.csv").open(encoding="utf-8-sig") as file:
        assert [row["area"] for row in csv.DictReader(file)] == ["36", "36", "36"]
    assert (tmp_path / "t images.csv").exists()


def test_that_a_scale_that_is_none_is_refused_where_it_is_typed(place: Place) -> None:
    dialog = ScaleDialog(None, PIXELS, Scale(0.1, "mm"))  # type: ignore[arg-type]
    dialog.text.setText("long")
    dialog.accept()
    assert "is no scale" in dialog.problem.text()
    dialog.text.setText("0.35 um")
    dialog.accept()
    assert dialog.scale == Scale(0.35, "µm")
    dialog.deleteLater()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (36, "36"), (1234.5678, "1,235"), (0.12345, "0.1235"), (12.3456, "12.35"), (1e-5, "1e-05")],
)
def test_that_figures_are_rounded_for_reading(value: float, text: str) -> None:
    assert number_text(value) == text
    assert number_text(float("nan")) == ""


def test_that_a_bar_of_another_images_instances_leads_there_and_selects_them(
    place: Place, panel: MeasurementsPanel
) -> None:
    place.show("c.png")
    ids = {draw(place, 9, 2), draw(place, 9, 20)}
    place.settle()
    place.show("a.png")
    panel.scope.setCurrentIndex(1)
    place.wait(lambda: len(panel.model.rows) > 2 and "81" in areas(panel))
    last = len(panel.histogram.counts) - 1
    panel.histogram.picked.emit(panel.histogram.rows_of(last))
    place.wait(lambda: place.editor.shown is not None and place.editor.shown.item.path == "c.png")
    place.wait(lambda: set(place.editor.selection) == ids)
