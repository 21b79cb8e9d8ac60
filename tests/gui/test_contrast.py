"""Window and level in the window: seen while it is dragged, kept when wanted; proposals follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.document.records import MediaItem
from engine.messages import PredictImage
from engine.project import Project
from engine.project.contrasts import Contrasts, contrasts_of
from gui.bridge import Bridge
from gui.contrast import Contrasting
from gui.desk import Desk
from gui.editor import Editor
from gui.panels.contrast import ContrastPanel
from gui.proposals import Proposals
from gui.saving import Kept
from gui.settings import Settings
from tests.gui.conftest import Wait
from tests.gui.making import HEIGHT, WIDTH, Engine, picture, prediction

RAMP = np.tile(np.linspace(1000, 3000, WIDTH).round().astype(np.uint16), (HEIGHT, 1))
WINDOW = Contrast(Way.WINDOW, 1500, 2500)
SEEN = np.clip((RAMP - 1500.0) / 1000 * 255 + 0.5, 0, 255).astype(np.uint8)


class Work:
    """A project of two 16-bit pictures and one of 8 bits, the first shown, its contrast being chosen."""

    def __init__(self, folder: Path, settings: Settings, wait: Wait) -> None:
        self.folder, self.wait, self.engine = folder, wait, Engine()
        self.editor = Editor()
        self.desk = Desk(self.editor)
        self.proposals = Proposals(self.editor, self.desk, cast(Bridge, self.engine), settings)
        self.desk.open([folder])
        wait(lambda: self.editor.shown)
        self.contrasting = Contrasting(self.desk)
        self.read()

    def read(self) -> None:
        self.wait(lambda: not self.contrasting.is_reading)

    def go(self, name: str) -> None:
        self.desk.show(next(item.id for item in self.desk.media if item.path == name))
        self.wait(lambda: self.editor.shown and self.editor.shown.item.path == name)
        self.read()

    @property
    def shown(self) -> MediaItem:
        assert self.editor.shown is not None
        return self.editor.shown.item

    def wait_for(self, contrast: Contrast) -> None:
        """Until the shown picture is decoded by that contrast."""
        self.wait(lambda: self.editor.shown is not None and self.shown.contrast == contrast)
        self.read()

    def stored(self) -> Contrasts:
        with Project.open(self.folder, read_only=True) as project:
            return contrasts_of(project)

    def asked(self, name: str) -> PredictImage:
        request, _ = self.engine.asked[self.engine.order_for(name)]
        assert isinstance(request, PredictImage)
        return request


@pytest.fixture
def work(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Work]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        assert cv2.imwrite(str(folder / name), RAMP)
    picture(folder / "plain.png")
    made = Work(folder, Settings(tmp_path / "settings.json"), wait)
    yield made
    made.contrasting.close()
    made.desk.close()


def seen_through(work: Work) -> list[int]:
    assert work.editor.lens is not None
    row: list[int] = work.editor.lens.region(0, 0, 0, WIDTH, 1)[0, :, 0].tolist()
    return row


def test_that_a_chosen_window_is_seen_at_once_and_the_picture_itself_stays(work: Work) -> None:
    assert work.editor.lens is None
    work.contrasting.window(1500, 2500)
    assert seen_through(work) == SEEN[0].tolist()
    assert work.shown.contrast == AUTOMATIC
    assert work.stored() == Contrasts()
    work.contrasting.drop()
    work.wait(lambda: work.editor.lens is None)


@pytest.mark.parametrize("way", [Way.PERCENTILE, Way.FULL, Way.AUTOMATIC])
def test_that_each_way_says_which_samples_are_black_and_white(work: Work, way: Way) -> None:
    work.contrasting.window(1500, 2500)
    wanted = {Way.PERCENTILE: (1000, 3000), Way.FULL: (0, 65_535), Way.AUTOMATIC: (0, 4095)}[way]
    work.contrasting.choose(Contrast(way, *((0, 100) if way is Way.PERCENTILE else ())))
    work.wait(lambda: work.contrasting.limits == wanted)


def test_that_what_is_kept_for_all_is_what_everybody_sees_from_then_on(work: Work) -> None:
    work.contrasting.window(1500, 2500)
    work.contrasting.keep(for_file=False)
    work.wait_for(WINDOW)
    assert work.editor.shown is not None
    assert np.array_equal(work.editor.shown.pixels[..., 0], SEEN)
    assert work.editor.lens is None
    assert work.stored() == Contrasts(WINDOW)
    work.go("b.png")
    assert np.array_equal(work.editor.shown.pixels[..., 0], SEEN)
    assert work.asked("b.png").contrast == WINDOW


def test_that_a_file_may_have_its_own_and_each_step_is_taken_back(work: Work) -> None:
    work.contrasting.window(1500, 2500)
    work.contrasting.keep(for_file=False)
    work.wait_for(WINDOW)
    own = Contrast(Way.FULL)
    work.contrasting.choose(own)
    work.contrasting.keep(for_file=True)
    work.wait_for(own)
    assert work.stored() == Contrasts(WINDOW, {"a.png": own})
    work.contrasting.go_back()
    work.wait_for(WINDOW)
    work.contrasting.reset()
    work.wait_for(AUTOMATIC)
    assert work.stored() == Contrasts()
    work.contrasting.go_back()
    work.wait_for(WINDOW)
    work.contrasting.go_back()
    work.wait_for(AUTOMATIC)
    assert not work.contrasting.can_go_back


def test_that_a_window_being_tried_out_stays_while_others_are_looked_at(work: Work) -> None:
    work.contrasting.window(1500, 2500)
    work.go("b.png")
    work.wait(lambda: work.editor.lens)
    assert seen_through(work) == SEEN[0].tolist()
    work.go("plain.png")
    assert work.contrasting.levels is None
    assert work.editor.lens is None
    assert not work.contrasting.can_be_kept
    work.contrasting.close()
    work.go("b.png")
    assert work.shown.contrast == AUTOMATIC


def look(work: Work, name: str, *scores: float) -> set[int]:
    """The model answers for an image that is shown; the ids of what is proposed then."""
    document = work.editor.document
    assert document is not None
    before = {one.id for one in document.instances}
    work.engine.answer(name, prediction(*scores))
    work.wait(lambda: {one.id for one in document.instances} - before)
    work.wait(lambda: work.desk.saving.state.kept is Kept.SAVED)
    return {one.id for one in document.instances}


def test_that_proposals_nobody_looked_at_are_made_anew_by_the_new_contrast(work: Work) -> None:
    old = look(work, "a.png", 0.9, 0.8)
    work.go("b.png")
    look(work, "b.png", 0.7)
    work.go("plain.png")
    look(work, "plain.png", 0.6)
    work.go("a.png")
    assert not work.engine.is_asked_for("a.png")
    work.contrasting.window(1500, 2500)
    work.contrasting.keep(for_file=False)
    work.wait_for(WINDOW)
    work.wait(lambda: work.engine.is_asked_for("a.png"))
    assert work.asked("a.png").contrast == WINDOW
    new = look(work, "a.png", 0.5)
    assert len(new) == 1
    assert not new & old
    work.go("b.png")
    assert work.engine.is_asked_for("b.png"), "its proposals were of the picture as it was"
    work.go("plain.png")
    assert not work.engine.is_asked_for("plain.png"), "8 bits are seen as before"
    work.go("a.png")
    assert not work.engine.is_asked_for("a.png")


def test_that_an_answer_to_the_old_contrast_is_not_taken(work: Work) -> None:
    order = work.engine.order_for("a.png")
    work.contrasting.window(1500, 2500)
    work.contrasting.keep(for_file=False)
    work.wait_for(WINDOW)
    work.wait(lambda: order in work.engine.canceled)
    assert work.asked("a.png").contrast == WINDOW


def test_that_handles_numbers_and_ways_say_the_same(work: Work) -> None:
    panel = ContrastPanel(work.contrasting)
    panel.resize(420, 420)
    panel.show()
    histogram, middle = panel.histogram, panel.histogram.height() // 2
    work.wait(lambda: panel.white.value() == 4095)

    def at(sample: float) -> QPoint:
        return QPoint(round(histogram.place_of(sample)), middle)

    def drag(start: QPoint, end: QPoint) -> None:
        QTest.mousePress(histogram, Qt.MouseButton.LeftButton, pos=start)
        QTest.mouseMove(histogram, end)
        QTest.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=end)

    drag(at(0), at(1500))
    drag(at(4095), at(2500))
    step = 4095 / histogram.width()
    assert panel.black.value() == pytest.approx(1500, abs=2 * step)
    assert panel.white.value() == pytest.approx(2500, abs=2 * step)
    assert panel.breadth.value() == panel.white.value() - panel.black.value()
    assert panel.way.currentData() == Way.WINDOW
    width = panel.breadth.value()
    drag(at(2000), at(2200))
    assert panel.breadth.value() == width
    assert panel.level.value() == pytest.approx(2200, abs=3 * step)
    panel.level.setValue(1900)
    assert work.contrasting.contrast == Contrast(Way.WINDOW, 1900 - width / 2, 1900 + width / 2)
    QTest.keyClick(histogram, Qt.Key.Key_Right)
    assert panel.level.value() > 1900
    panel.gamma.number.setValue(2.0)
    assert work.contrasting.contrast.gamma == 2.0
    panel.way.setCurrentIndex(panel.way.findData(Way.PERCENTILE))
    panel.way.activated.emit(panel.way.currentIndex())
    work.wait(lambda: panel.black.value() == 1000)
    assert panel.least.isVisible()
    panel.least.setValue(50)
    work.wait(lambda: panel.black.value() == pytest.approx(2000, abs=30))
    assert work.contrasting.contrast == Contrast(Way.PERCENTILE, 50, 99.9, 2.0)
    panel.close()


def test_that_the_panel_says_why_there_is_nothing_to_choose(work: Work) -> None:
    panel = ContrastPanel(work.contrasting)
    panel.show()
    work.go("plain.png")
    assert "8 bits" in panel.nothing.text()
    assert not panel.histogram.isVisible()
    work.go("a.png")
    work.wait(panel.histogram.isVisible)
    panel.close()
