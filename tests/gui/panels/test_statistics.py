"""Statistics agree with the project and can be read without seeing the plots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage

from gui import theme
from gui.desk import Desk
from gui.panels.statistics import StatisticsPanel
from gui.panels.surveyor import Surveyor
from tests.gui.panels.conftest import Place


@pytest.fixture
def panel(place: Place) -> Iterator[StatisticsPanel]:
    made = StatisticsPanel(place.desk, place.surveyor)
    made.resize(400, 640)
    made.show()
    yield made
    made.close()
    theme.theme().put_on(theme.LIGHT)


def test_that_images_are_counted_by_state(panel: StatisticsPanel) -> None:
    assert panel.images.accessibleDescription() == "Reviewed: 1; Proposed: 1; Unlabelled: 2"


def test_that_instances_are_counted_by_class_and_by_who_saw_them(panel: StatisticsPanel) -> None:
    bolt, nut = panel.classes.bars
    assert [(part.count, part.pale) for part in bolt.parts] == [(1, False), (1, True)]
    assert [(part.count, part.pale) for part in nut.parts] == [
        (0, False),
        (1, True),
    ]  # 0.2 is below the slider
    assert bolt.told == "bolt: 2 instances on 2 images\n1 of them proposals"
    assert panel.classes.bar_at(QPoint(10, 30)) == nut


def test_that_instances_are_counted_by_the_side_of_a_square(panel: StatisticsPanel) -> None:
    sizes = {bar.name: bar.total for bar in panel.sizes.bars}
    assert sizes["4"] == 3  # squares of 6 pixels
    assert sum(sizes.values()) == 3


def test_that_statistics_follow_an_edit(panel: StatisticsPanel, place: Place) -> None:
    place.show("b.png")
    document = place.editor.document
    assert document is not None
    with place.editor.edit("Accept image"):
        document.accept_image([one.id for one in place.editor.visible])
    assert panel.images.accessibleDescription() == "Reviewed: 2; Proposed: 0; Unlabelled: 2"
    place.wait(lambda: panel.classes.bars[1].parts[0].count == 1)


def test_that_the_plots_take_the_colours_of_the_theme(panel: StatisticsPanel) -> None:
    def color_of_images() -> str:
        image = panel.images.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        return image.pixelColor(3, 5).name()

    theme.theme().put_on(theme.LIGHT)
    assert color_of_images() == theme.LIGHT.good
    theme.theme().put_on(theme.DARK)
    assert color_of_images() == theme.DARK.good


def test_that_nothing_open_is_said_in_a_sentence(empty_desk: Desk) -> None:
    panel = StatisticsPanel(empty_desk, Surveyor(empty_desk))
    assert panel.empty.text() == "Open a folder of pictures to see what it holds."
    assert panel.body.isHidden()
    panel.close()
