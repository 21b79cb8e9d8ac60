"""Explanations in the window: when they are asked for, what is drawn of them, whose story is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QTabBar, QTreeWidget, QWidget

from engine.document.contrast import Contrast, Way
from engine.document.masks import Mask
from engine.document.records import Instance, new_id
from engine.explanation import Contest, Explanation, Fate, FeatureLevel, StageOne, StageTwo
from engine.messages import Explain, Explained, Failed, Finished, OrderId, Priority
from engine.prediction import Prediction
from gui.bridge import Bridge
from gui.desk import Desk
from gui.editor import Editor
from gui.explaining import Explaining
from gui.layers import Ink, Layer, Look, Part, Step, heat_of, layers_of, pick
from gui.panels.explain import ExplainPanel
from gui.proposals import Proposals
from gui.settings import Settings
from tests.gui.making import HEIGHT, WIDTH, Engine, folder_of

Wait = Callable[..., None]

BOLT, BEATEN, NUT, UNLIKELY = range(4)


def explained() -> Explanation:
    """Three proposals: of a bolt (0.9), of the same bolt (0.6, beaten), of a nut (0.8; as a bolt 0.03)."""
    boxes = np.array([(4, 4, 20, 20), (5, 4, 21, 20), (30, 8, 40, 28), (30, 8, 41, 28)], np.float32)
    second = StageTwo(
        Contest(
            boxes,
            np.array([0.9, 0.6, 0.8, 0.03], np.float32),
            np.array([Fate.KEPT, Fate.BEATEN, Fate.KEPT, Fate.LOW_SCORE], np.uint8),
            np.array([-1, BOLT, -1, -1]),
            np.array([0, 0.88, 0, 0], np.float32),
        ),
        rois=np.array([0, 1, 2, 2]),
        labels=np.array([1, 1, 2, 1]),
        roi_levels=np.array([2, 2, 3]),
        background=np.array([0.1, 0.4, 0.17], np.float32),
        detections=np.array([BOLT, NUT]),
    )
    first = StageOne(
        Contest(
            np.concatenate((boxes[:3], [(6, 6, 22, 22), (48, 0, 48, 4)])).astype(np.float32),
            np.array([0.99, 0.8, 0.7, 0.6, 0.5], np.float32),
            np.array([Fate.KEPT, Fate.KEPT, Fate.KEPT, Fate.BEATEN, Fate.SMALL], np.uint8),
            np.array([-1, -1, -1, 0, -1]),
            np.array([0, 0, 0, 0.71, 0], np.float32),
        ),
        np.array(
            [(4, 4, 20, 20), (4, 4, 28, 16), (28, 4, 44, 28), (8, 8, 24, 24), (44, -4, 60, 8)], np.float32
        ),
        levels=np.array([2, 2, 3, 2, 4]),
        proposals=np.array([0, 1, 2]),
    )
    cells = np.zeros((2, 28, 28), np.float32)
    cells[0, 4:24, 4:24], cells[1, :14] = 1.0, 1.0
    levels = []
    for number in range(2, 7):
        rows, columns = -(-2 * HEIGHT // 2**number), -(-2 * WIDTH // 2**number)
        ramp = np.linspace(0, 255, rows * columns).astype(np.uint8).reshape(rows, columns)
        stride = (2**number, 2**number)
        levels.append(FeatureLevel(number, stride, rows, columns, ((8, 8),), ramp, ramp[None], (number,)))
    return Explanation(
        Prediction(WIDTH, HEIGHT, ("bolt", "nut"), boxes[[0, 2]], second.contest.scores[[0, 2]],
                   np.array([1, 2]), cells),
        (2 * HEIGHT, 2 * WIDTH), tuple(levels), first, second, np.array([2, 2]), 7, 14, 0.05, 0.7, 0.5,
    )  # fmt: skip


def drawn_at(class_id: int, x: int, y: int, width: int, height: int) -> Instance:
    return Instance(new_id(), class_id, Mask.from_crop(x, y, np.ones((height, width), np.bool_)))


@dataclass
class Bench:
    """The parts under test with an engine that answers what it is told to."""

    editor: Editor
    desk: Desk
    engine: Engine
    proposals: Proposals
    explaining: Explaining
    wait: Wait

    @property
    def asked(self) -> dict[OrderId, Explain]:
        requests = {order: request for order, (request, _) in self.engine.asked.items()}
        return {order: one for order, one in requests.items() if isinstance(one, Explain)}

    def missed(self) -> tuple[float, float, float, float] | None:
        return self.explaining.missed

    def only(self) -> OrderId:
        self.wait(lambda: self.asked)
        (order,) = self.asked
        return order

    def answer(self, order: OrderId, generation: int | None = None) -> None:
        request, _ = self.engine.asked.pop(order)
        assert isinstance(request, Explain)
        told = request.generation if generation is None else generation
        self.engine.explained.emit(Explained(order, told, explained()))
        self.engine.ended.emit(Finished(order))

    def explain(self) -> Explanation:
        self.explaining.start()
        self.answer(self.only())
        self.wait(lambda: self.explaining.shown)
        assert self.explaining.shown is not None
        return self.explaining.shown.explanation

    def go(self, name: str) -> None:
        (media_id,) = (item.id for item in self.desk.media if item.path == name)
        self.desk.show(media_id)
        self.wait(lambda: self.editor.shown is not None and self.editor.shown.item.path == name)

    def draw(self, *box: int) -> None:
        """Draw an instance that fills a box (x, y, width, height) and select it."""
        assert self.desk.project is not None
        assert self.editor.shown is not None
        one = drawn_at(self.desk.project.ensure_class("bolt").id, *box)
        with self.editor.edit("Draw"):
            self.editor.shown.document.add(one)
        self.editor.select([one.id])


@pytest.fixture
def bench(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Bench]:
    folder = folder_of(tmp_path / "pictures", ("a.png", "b.png"))
    editor, engine, settings = Editor(), Engine(), Settings(tmp_path / "settings.json")
    settings.change(predicts_by_itself=False)
    desk = Desk(editor)
    bridge = cast(Bridge, engine)
    proposals = Proposals(editor, desk, bridge, settings)
    explaining = Explaining(desk, bridge, proposals)
    desk.open([folder])
    wait(lambda: editor.shown)
    yield Bench(editor, desk, engine, proposals, explaining, wait)
    explaining.close()
    desk.close()


# Asking


def test_that_the_shown_image_is_explained_before_all_else(bench: Bench) -> None:
    bench.explaining.start()
    order = bench.only()
    request, priority = bench.engine.asked[order]
    assert isinstance(request, Explain)
    assert (request.path.name, request.choice, priority) == (
        "a.png", bench.proposals.choice, Priority.PROMPT
    )  # fmt: skip
    assert bench.explaining.is_looking
    bench.answer(order)
    bench.wait(lambda: bench.explaining.shown)
    assert bench.explaining.shown is not None
    assert bench.explaining.shown.picture.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    assert not bench.explaining.is_looking


def test_that_another_image_or_model_is_explained_anew_and_late_answers_are_dropped(bench: Bench) -> None:
    bench.explaining.start()
    first = bench.only()
    generation = bench.asked[first].generation
    bench.go("b.png")
    assert first in bench.engine.canceled
    second = bench.only()
    bench.engine.explained.emit(Explained(first, generation, explained()))
    come: list[bool] = []
    bench.desk.background.run(lambda: True, come.append)  # behind whatever the late answer began
    bench.wait(lambda: come)
    assert bench.explaining.shown is None
    bench.answer(second)
    bench.wait(lambda: bench.explaining.shown)
    bench.proposals.set_model("other")
    assert bench.explaining.shown is None
    order = bench.only()
    assert bench.asked[order].choice.model == "other"


def test_that_a_picture_seen_with_another_contrast_is_explained_anew(bench: Bench) -> None:
    bench.explain()
    shown = bench.editor.shown
    assert shown is not None
    bench.editor.show(shown)
    assert bench.asked == {}, "nothing about it changed"
    bright = replace(shown.item, contrast=Contrast(Way.FULL))
    bench.editor.show(replace(shown, item=bright))
    order = bench.only()
    assert bench.asked[order].contrast == Contrast(Way.FULL)


def test_that_going_through_images_quickly_explains_the_last_alone(bench: Bench) -> None:
    bench.explaining.start()
    bench.answer(bench.only())
    bench.go("b.png")
    bench.go("a.png")
    bench.wait(lambda: [request.path.name for request in bench.asked.values()] == ["a.png"])


def test_that_a_failure_is_told_and_can_be_tried_again(bench: Bench) -> None:
    bench.explaining.start()
    order = bench.only()
    bench.engine.asked.pop(order)
    bench.engine.ended.emit(Failed(order, "Memory ran out."))
    assert bench.explaining.problem == "Memory ran out."
    assert not bench.explaining.is_looking
    bench.explaining.again()
    assert bench.explaining.problem == ""
    bench.answer(bench.only())
    bench.wait(lambda: bench.explaining.shown)


def test_that_nobody_who_looks_away_keeps_the_engine_busy(bench: Bench) -> None:
    bench.explaining.start()
    order = bench.only()
    bench.explaining.close()
    assert bench.engine.canceled == [order]
    bench.go("b.png")


# Whose story


def test_that_the_selected_instance_is_told_of_by_what_found_it(bench: Bench) -> None:
    bench.explain()
    bench.draw(30, 9, 10, 18)
    assert bench.explaining.look.chosen == NUT
    assert bench.explaining.missed is None
    bench.draw(4, 4, 15, 15)
    assert bench.explaining.look.chosen == BOLT


def test_that_a_selected_instance_that_was_missed_is_told_of_by_what_was_near(bench: Bench) -> None:
    bench.explain()
    bench.draw(12, 12, 16, 16)
    assert bench.explaining.look.chosen is None
    assert bench.missed() == (12, 12, 28, 28)
    bench.explaining.choose(BOLT)
    assert bench.missed() is None


def test_that_what_was_selected_before_the_answer_is_told_of_too(bench: Bench) -> None:
    bench.draw(30, 9, 10, 18)
    bench.explain()
    assert bench.explaining.look.chosen == NUT


# What is drawn


def boxes(layers: list[Layer], ink: Ink) -> int:
    return sum(len(layer.boxes_xyxy) for layer in layers if layer.ink is ink)


def test_that_boxes_of_stage_one_are_drawn_by_level_and_score() -> None:
    look = Look(Step.PROPOSALS, least=0.75)
    assert [(layer.ink, len(layer.boxes_xyxy)) for layer in layers_of(explained(), look)] == [(Ink.P2, 2)]
    look = replace(look, least=0.0)
    assert boxes(layers_of(explained(), look), Ink.P3) == 1
    assert boxes(layers_of(explained(), look), Ink.P4) == 0
    every = replace(look, part=Part.MOVED)
    assert [boxes(layers_of(explained(), every), ink) for ink in (Ink.P2, Ink.P3, Ink.P4)] == [3, 1, 1]
    finest = replace(every, levels=frozenset({2}))
    assert [layer.ink for layer in layers_of(explained(), finest)] == [Ink.P2]
    (anchors,) = layers_of(explained(), replace(finest, part=Part.ANCHORS))
    assert anchors.boxes_xyxy.tolist() == explained().first.anchors_xyxy[[0, 1, 3]].tolist()


def test_that_rois_are_drawn_by_the_level_that_they_are_read_from() -> None:
    layers = layers_of(explained(), Look(Step.ROIS, least=0.7))
    assert [(layer.ink, len(layer.boxes_xyxy)) for layer in layers] == [(Ink.P3, 1), (Ink.P2, 1)]
    (*others, chosen) = layers_of(explained(), Look(Step.ROIS, chosen=NUT))
    assert chosen.cells == 7
    assert all(layer.is_faint for layer in others), "beside the chosen one the others stand back"
    assert not chosen.is_faint


def test_that_suppression_shows_the_fates_that_are_asked_for() -> None:
    look = Look(Step.SUPPRESSION, least=0.0, fates=frozenset(Fate))
    layers = layers_of(explained(), look)
    assert [boxes(layers, ink) for ink in (Ink.KEPT, Ink.BEATEN, Ink.LOW_SCORE)] == [2, 1, 1]
    assert layers[-1].ink is Ink.KEPT, "what was kept lies uppermost"
    assert boxes(layers_of(explained(), replace(look, fates=frozenset({Fate.BEATEN}))), Ink.KEPT) == 0


def test_that_a_beaten_box_is_drawn_with_the_one_that_beat_it() -> None:
    look = Look(Step.SUPPRESSION, fates=frozenset(), chosen=BEATEN)
    before, winner, itself = layers_of(explained(), look)
    contest = explained().second.contest
    assert winner.boxes_xyxy.tolist() == contest.boxes_xyxy[[BOLT]].tolist()
    assert itself.boxes_xyxy.tolist() == contest.boxes_xyxy[[BEATEN]].tolist()
    assert (before.ink, itself.ink) == (Ink.BEFORE, Ink.CHOSEN)


def test_that_a_mask_lands_in_its_box_and_nowhere_else() -> None:
    heat = heat_of(explained(), Look(Step.MASKS, chosen=NUT))
    assert heat is not None
    assert heat.values.shape == (2 * HEIGHT, 2 * WIDTH)
    assert np.array_equal(np.argwhere(heat.values)[[0, -1]], [(16, 60), (35, 79)])  # its upper half
    both = heat_of(explained(), Look(Step.MASKS, least=0.0))
    assert both is not None
    assert int((both.values > 0).sum()) > int((heat.values > 0).sum())


def test_that_a_feature_map_covers_the_picture() -> None:
    for number in range(2, 7):
        heat = heat_of(explained(), Look(Step.FEATURES, level=number, channel=0))
        assert heat is not None
        assert heat.width >= WIDTH
        assert heat.height >= HEIGHT
        assert heat.values.shape == (-(-2 * HEIGHT // 2**number), -(-2 * WIDTH // 2**number))
    assert heat_of(explained(), Look(Step.ROIS)) is None


def test_that_a_click_chooses_what_was_kept_before_what_was_removed() -> None:
    look = Look(Step.SUPPRESSION, least=0.0, fates=frozenset(Fate))
    assert pick(explained(), look, 10, 10) == BOLT
    assert pick(explained(), replace(look, chosen=BOLT), 10, 10) == BEATEN
    assert pick(explained(), replace(look, chosen=BEATEN), 10, 10) == BOLT
    assert pick(explained(), Look(Step.MASKS, chosen=BOLT), 10, 10) == BOLT
    assert pick(explained(), look, 25, 2) is None
    assert pick(explained(), Look(Step.ROIS, least=0.85), 35, 20) == NUT, "a score too low hides no object"


# The panel


@pytest.fixture
def panel(bench: Bench) -> Iterator[ExplainPanel]:
    made = ExplainPanel(bench.explaining)
    made.resize(900, 600)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def test_that_a_click_on_the_picture_tells_the_story_and_the_table_the_rivals(
    bench: Bench, panel: ExplainPanel
) -> None:
    bench.explain()
    assert "2 objects were found" in panel.told.text()
    x, y = panel.view.camera.to_view(10, 10)
    QTest.mouseClick(panel.view, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
    assert bench.explaining.look.chosen == BOLT
    told = panel.told.text()
    for words in (
        "bolt 0.90: kept",
        "Anchor of P2, 16 × 16 px",
        "Proposal 1 of 3",
        "7 × 7",
        "28 × 28",
        "Beat 1",
    ):
        assert words in told
    assert panel.tile.isVisible()
    (row,) = [panel.rivals.topLevelItem(n) for n in range(panel.rivals.topLevelItemCount())]
    assert row is not None
    assert [row.text(place) for place in range(4)] == ["bolt", "0.60", "0.88", "Beaten by a better box"]
    assert row.toolTip(3) == "removed: overlaps bolt 0.90 by IoU 0.88, over 0.50"
    panel.rivals.itemClicked.emit(row, 0)
    assert bench.explaining.look.chosen == BEATEN
    assert "removed: overlaps bolt 0.90" in panel.told.text()
    assert not panel.tile.isVisible()


def test_that_arrow_keys_go_from_object_to_object(bench: Bench, panel: ExplainPanel) -> None:
    bench.explain()
    chosen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        QTest.keyClick(panel.view, key)
        chosen.append(bench.explaining.look.chosen)
    assert chosen == [BOLT, NUT, BOLT, NUT]
    assert panel.object.currentText() == "nut 0.80"


def test_that_a_missed_object_is_explained_by_its_nearest_boxes(bench: Bench, panel: ExplainPanel) -> None:
    bench.explain()
    bench.draw(12, 12, 16, 16)
    assert "does not find the selected object" in panel.told.text()
    rows = [panel.rivals.topLevelItem(n) for n in range(panel.rivals.topLevelItemCount())]
    assert [row.text(2) for row in rows if row is not None] == ["0.16", "0.14"]


def test_that_settings_that_do_nothing_in_a_step_are_not_shown(bench: Bench, panel: ExplainPanel) -> None:
    bench.explain()
    seen = {}
    for number in range(panel.steps.count()):
        panel.steps.setCurrentIndex(number)
        seen[panel.steps.tabData(number)] = (
            panel.level.isVisible(), panel.part.isVisible(), panel.least.isVisible(),
            panel.levels[2].isVisible(), panel.fates[Fate.KEPT].isVisible(),
        )  # fmt: skip
    assert seen == {
        Step.FEATURES: (True, False, False, False, False),
        Step.PROPOSALS: (False, True, True, True, False),
        Step.ROIS: (False, False, True, True, False),
        Step.SUPPRESSION: (False, False, True, False, True),
        Step.MASKS: (False, False, True, False, False),
    }
    panel.steps.setCurrentIndex(1)
    panel.levels[2].click()
    assert bench.explaining.look.levels == {3, 4, 5, 6}
    assert panel.levels[2].text() == "P2 (2)"
    panel.steps.setCurrentIndex(3)
    panel.fates[Fate.BEATEN].click()
    assert Fate.BEATEN not in bench.explaining.look.fates


def test_that_every_control_has_a_name_that_can_be_read_out(bench: Bench, panel: ExplainPanel) -> None:
    bench.explain()
    controls = [
        one
        for one in panel.findChildren(QWidget)
        if isinstance(one, (QComboBox, QTabBar, QTreeWidget, QAbstractButton))
    ] + [panel.view, panel.tile, panel.least.slider, panel.busy]
    assert len(controls) > 15
    for one in controls:
        text = one.text() if isinstance(one, QAbstractButton) else ""
        assert one.accessibleName() or text, one


def test_that_a_problem_is_shown_with_a_way_to_try_again(bench: Bench, panel: ExplainPanel) -> None:
    bench.explaining.start()
    order = bench.only()
    assert panel.busy.isVisible()
    bench.engine.asked.pop(order)
    bench.engine.ended.emit(Failed(order, "Memory ran out."))
    assert panel.status.text() == "Memory ran out."
    panel.again.click()
    bench.answer(bench.only())
    bench.wait(lambda: bench.explaining.shown)
    assert "96 × 64" in panel.status.text()
    assert not panel.again.isVisible()


def test_that_what_is_drawn_is_drawn_where_it_belongs(bench: Bench, panel: ExplainPanel) -> None:
    bench.explain()
    panel.steps.setCurrentIndex(3)
    bench.explaining.choose(NUT)
    image = panel.view.grab().toImage()
    x, y = panel.view.camera.to_view(30, 18)
    along = [image.pixelColor(round(x) + off, round(y)) for off in range(-2, 3)]
    assert any(color.red() > 240 and color.blue() > 240 for color in along), "the chosen box's left edge"
