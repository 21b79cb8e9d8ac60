"""The real program answers prompts: a box and a click on a bundled picture, with the bundled model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.document.boolean import iou
from engine.document.diff import Diff
from engine.document.mask import Mask
from engine.document.records import Instance, Provenance
from engine.formats.coco import read_coco
from engine.project import Project
from gui.tools.prompting import PromptTool
from gui.tools.tool import Caption
from tests.journeys.person import SAMPLES, Person

FIRST = "tray_900003.jpg"
LONG = 120.0


def a_bolt() -> Mask:
    """The true mask of an object in the middle of the first picture."""
    truth = read_coco(SAMPLES / "truth.json")
    (image,) = (one for one in truth.images if one.path.name == FIRST)
    masks = [one.mask for one in image.instances if one.mask is not None]
    return next(mask for mask in masks if mask.bbox_xywh == (282, 164, 171, 114))


def tool(person: Person) -> PromptTool:
    found = person.window.editor.tool
    assert isinstance(found, PromptTool)
    return found


def answered(person: Person) -> None:
    """Wait until what is shown is the answer to the last question."""
    person.wait(lambda: (prompt := tool(person).prompt) is not None and prompt.is_answered, LONG)


def count(person: Person) -> int:
    return len(person.instances)


def caption(person: Person) -> str:
    (found,) = (shape.text for shape in tool(person).preview if isinstance(shape, Caption))
    return found


def test_that_a_box_and_a_click_become_instances_and_an_escape_nothing(
    at_the_window: Callable[..., int], samples: Path
) -> None:
    true = a_bolt()
    x0, y0, x1, y1 = true.box_xyxy
    middle = np.argwhere(cv2.erode(true.bitmap.view(np.uint8), np.ones((9, 9)), borderValue=0))[0]
    x, y = true.x + float(middle[1]) + 0.5, true.y + float(middle[0]) + 0.5

    def steps(person: Person) -> None:
        window = person.window
        person.see(FIRST)
        person.wait(lambda: person.instances, LONG)
        person.saved()
        person.do("predict.reject_all")
        person.saved()
        window.activateWindow()
        window.canvas.setFocus()
        person.press(Qt.Key.Key_W)
        assert window.editor.tool.id == "box_prompt"
        person.wait(lambda: window.prompts.is_ready, LONG)
        QTest.mousePress(window.canvas, Qt.MouseButton.LeftButton, pos=person.at(x0, y0))
        for part in (0.5, 0.8, 1.0):
            QTest.mouseMove(window.canvas, person.at(x0 + part * (x1 - x0), y0 + part * (y1 - y0)))
            QApplication.processEvents()
            answered(person)
        assert caption(person), "the class shows while the button is down"
        QTest.mouseRelease(window.canvas, Qt.MouseButton.LeftButton, pos=person.at(x1, y1))
        answered(person)
        person.press(Qt.Key.Key_Return)
        person.wait(lambda: count(person) == 1)
        (one,) = person.instances
        assert one.mask is not None
        assert iou(one.mask, true) > 0.8
        assert one.provenance is Provenance.ACCEPTED
        assert [made.name for made in window.editor.classes if made.id == one.class_id] == ["bolt"]
        person.saved()
        person.do("edit.undo")
        person.wait(lambda: not count(person))

        person.press(Qt.Key.Key_Q)
        person.click(x, y)
        answered(person)
        shown = caption(person)
        if tool(person).has_choice:
            turn(person, -120)
            person.press(Qt.Key.Key_Tab, Qt.KeyboardModifier.ShiftModifier)
        assert caption(person) == shown
        person.press(Qt.Key.Key_Escape)
        assert not count(person)
        assert not window.editor.tool.is_busy
        person.click(x, y)
        answered(person)
        person.press(Qt.Key.Key_Return)
        person.wait(lambda: count(person) == 1)
        (one,) = person.instances
        assert one.mask is not None
        assert iou(one.mask, true) > 0.7
        person.saved()

    assert at_the_window([str(samples)], steps) == 0


def test_that_boxes_of_an_image_become_masks_and_an_undo_makes_them_boxes_again(
    at_the_window: Callable[..., int], samples: Path
) -> None:
    true = a_bolt()
    with Project.open(samples) as project:
        project.refresh()
        (item,) = (one for one in project.media() if one.path == FIRST)
        boxed = Instance(5, project.ensure_class("bolt").id, None, true.box_xyxy)
        project.save(item.id, Diff(added={5: boxed}), name="Import").result()

    def mask_of(person: Person) -> Mask | None:
        return person.instances[0].mask

    def steps(person: Person) -> None:
        person.see(FIRST)
        assert mask_of(person) is None
        person.do("boxes.image")
        person.wait(lambda: mask_of(person) is not None, LONG)
        mask = mask_of(person)
        assert mask is not None
        assert iou(mask, true) > 0.8
        assert (person.instances[0].id, person.instances[0].box_xyxy) == (5, true.box_xyxy)
        person.wait(lambda: not person.window.jobs.is_running)
        person.do("edit.undo")
        person.wait(lambda: mask_of(person) is None)
        person.saved()

    assert at_the_window([str(samples)], steps) == 0


def turn(person: Person, angle: int) -> None:
    """The wheel, over the middle of the canvas."""
    canvas = person.window.canvas
    at = QPointF(canvas.rect().center())
    event = QWheelEvent(
        at,
        canvas.mapToGlobal(at),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)
