"""How the model came to its answer, step by step: the picture, what the step did, and one object's story.

Draws what `gui.layers` says of an explanation; decides nothing.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHeaderView,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QTabBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.explanation import Explanation, Fate, candidates_near, story_of
from gui import theme
from gui.counts import counted
from gui.explaining import Explaining
from gui.layers import LEVELS, NORM, Ink, Look, Part, Step, heat_of, layers_of, level_of, pick
from gui.panels.explain_view import INKS, ExplainView, image_of
from gui.panels.parts import bar, button, column, label, line
from gui.panels.proposals import Share

_SIDE_WIDTH = 320
_TILE = 112
_ROW = Qt.ItemDataRole.UserRole


class MaskTile(QWidget):
    """The M x M cells of one mask, each as large as the others."""

    def __init__(self) -> None:
        super().__init__()
        self._cells: QImage | None = None
        self.setAccessibleName(self.tr("Mask as the network says it"))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(_TILE, _TILE)

    def take(self, probs: NDArray[np.float32] | None) -> None:
        """Show M x M probabilities, or nothing."""
        self.setVisible(probs is not None)
        if probs is None:
            return
        colors = cv2.applyColorMap(np.rint(probs * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
        self._cells = image_of(np.asarray(cv2.cvtColor(colors, cv2.COLOR_BGR2BGRA), np.uint8))
        sure = float((probs > 0.5).mean())
        self.setAccessibleDescription(self.tr("{:.0%} of the cells belong to the object").format(sure))
        self.setToolTip(self.accessibleDescription())
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        if self._cells is not None:
            painter = QPainter(self)
            painter.drawImage(QRectF(self.rect()), self._cells)
            painter.setPen(QColor(theme.colors().line))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))


class ExplainPanel(QWidget):
    """Steps above, the picture in the middle, the step's settings and an object's story beside it."""

    def __init__(self, explaining: Explaining) -> None:
        super().__init__()
        self._explaining = explaining
        self.steps = QTabBar()
        self.steps.setAccessibleName(self.tr("Steps of the network"))
        self.steps.setDrawBase(False)
        self.steps.setExpanding(False)
        self.status = label(role="muted")
        self.busy = QProgressBar()
        self.again = button("refresh", self.tr("Look again"))
        self.hint = label(role="muted")
        self.view = ExplainView()
        self.level = QComboBox()
        self.channel = QComboBox()
        self.part = QComboBox()
        self.least = Share(
            self.tr("Least score"), self.tr("Boxes of a lower score are not drawn"), 0.5, "{:.2f}".format
        )
        self.levels = {number: QCheckBox() for number in LEVELS}
        self.fates = {fate: QCheckBox() for fate in Fate}
        self.object = QComboBox()
        self.told = QLabel()
        self.tile = MaskTile()
        self.rivals = QTreeWidget()
        self._form = QFormLayout()
        self._build()
        self._connect()
        self._take()

    # Building

    def _build(self) -> None:
        for step, title in (
            (Step.FEATURES, self.tr("1 Features")),
            (Step.PROPOSALS, self.tr("2 Anchors and proposals")),
            (Step.ROIS, self.tr("3 RoIs")),
            (Step.SUPPRESSION, self.tr("4 Suppression")),
            (Step.MASKS, self.tr("5 Masks")),
        ):
            self.steps.setTabData(self.steps.addTab(title), step)
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(80, 4)
        self.busy.setAccessibleName(self.tr("The model is looking"))
        self.hint.setWordWrap(True)
        for widget, name in (
            (self.level, self.tr("Level of the pyramid")),
            (self.channel, self.tr("What of the features is shown")),
            (self.part, self.tr("Which boxes are shown")),
            (self.object, self.tr("Object whose story is told")),
        ):
            widget.setAccessibleName(name)
            widget.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            widget.setMinimumContentsLength(18)
        for part, title in (
            (Part.KEPT, self.tr("Proposals")),
            (Part.MOVED, self.tr("Proposals before suppression")),
            (Part.ANCHORS, self.tr("Their anchors")),
        ):
            self.part.addItem(title, part)
        self.told.setTextFormat(Qt.TextFormat.PlainText)
        self.told.setWordWrap(True)
        self.told.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._set_up_rivals()
        layout = column(self)
        layout.addLayout(bar(self.steps, None, self.status, self.busy, self.again))
        layout.addWidget(self.hint)
        middle = QSplitter(Qt.Orientation.Horizontal)
        middle.setChildrenCollapsible(False)
        middle.addWidget(self.view)
        middle.addWidget(self._side())
        middle.setStretchFactor(0, 1)
        middle.setSizes([760, _SIDE_WIDTH])
        layout.addWidget(middle, 1)

    def _set_up_rivals(self) -> None:
        self.rivals.setAccessibleName(self.tr("Other boxes of this object"))
        self.rivals.setHeaderLabels([self.tr("Class"), self.tr("Score"), self.tr("IoU"), self.tr("Became")])
        self.rivals.setRootIsDecorated(False)
        self.rivals.setUniformRowHeights(True)
        self.rivals.header().setStretchLastSection(True)
        for place in range(3):
            self.rivals.header().setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)
        self.rivals.setMinimumHeight(120)

    def _side(self) -> QWidget:
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(theme.SPACE, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow(self.tr("Level"), self.level)
        self._form.addRow(self.tr("Shown"), self.channel)
        self._form.addRow(self.tr("Shown"), self.part)
        self._form.addRow(self.tr("Score from"), self.least)
        layout.addLayout(self._form)
        for number, box in self.levels.items():
            box.setIcon(theme.swatch_icon(INKS[Ink.of_level(number)]))
            layout.addWidget(box)
        for fate, box in self.fates.items():
            box.setIcon(theme.swatch_icon(INKS[Ink.of_fate(fate)]))
            layout.addWidget(box)
        layout.addWidget(line())
        layout.addLayout(bar(label(self.tr("Object"), role="heading"), self.object))
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        scroll.setAccessibleName(self.tr("Story of the object"))
        inside = QWidget()
        story = QVBoxLayout(inside)
        story.setContentsMargins(0, 0, 0, 0)
        story.setSpacing(theme.SPACE)
        story.addWidget(self.told)
        story.addWidget(self.tile)
        story.addWidget(self.rivals, 1)
        scroll.setWidget(inside)
        layout.addWidget(scroll, 1)
        side.setMinimumWidth(_SIDE_WIDTH)
        return side

    def _connect(self) -> None:
        explaining = self._explaining
        explaining.changed.connect(self._take)
        explaining.look_changed.connect(self._draw)
        self.again.clicked.connect(explaining.again)
        self.steps.currentChanged.connect(self._on_step)
        self.level.activated.connect(self._on_setting)
        self.channel.activated.connect(self._on_setting)
        self.part.activated.connect(self._on_setting)
        self.least.changed.connect(self._on_setting)
        for box in (*self.levels.values(), *self.fates.values()):
            box.clicked.connect(self._on_setting)
        self.object.activated.connect(self._on_object)
        self.view.clicked.connect(self._on_click)
        self.view.stepped.connect(self._on_stepped)
        self.rivals.itemActivated.connect(self._on_rival)
        self.rivals.itemClicked.connect(self._on_rival)
        self.steps.setCurrentIndex(1)

    # What a person does

    @Slot()
    def _on_step(self) -> None:
        self._see(step=self.steps.tabData(self.steps.currentIndex()))

    @Slot()
    def _on_setting(self) -> None:
        self._see(
            level=self.level.currentData(),
            levels=frozenset(number for number, box in self.levels.items() if box.isChecked()),
            channel=self.channel.currentData(),
            part=self.part.currentData(),
            least=self.least.value,
            fates=frozenset(fate for fate, box in self.fates.items() if box.isChecked()),
        )

    def _see(self, **changes: object) -> None:
        self._explaining.see(replace(self._explaining.look, **changes))  # type: ignore[arg-type]

    @Slot()
    def _on_object(self) -> None:
        self._explaining.choose(self.object.currentData())

    @Slot(float, float)
    def _on_click(self, x: float, y: float) -> None:
        shown = self._explaining.shown
        if shown is not None:
            self._explaining.choose(pick(shown.explanation, self._explaining.look, x, y))

    @Slot(int)
    def _on_stepped(self, by: int) -> None:
        count = self.object.count() - 1  # the first entry stands for none
        if count > 0:
            here = self.object.currentIndex() - 1
            self.object.setCurrentIndex((here + by) % count + 1 if here >= 0 else 1)
            self._on_object()

    @Slot(QTreeWidgetItem)
    def _on_rival(self, item: QTreeWidgetItem) -> None:
        self._explaining.choose(item.data(0, _ROW))

    # What is shown

    @Slot()
    def _take(self) -> None:
        """Another explanation, or none."""
        explaining = self._explaining
        shown = explaining.shown
        self.busy.setVisible(explaining.is_looking)
        self.again.setVisible(bool(explaining.problem))
        self.status.setProperty("role", "error" if explaining.problem else "muted")
        self.status.style().polish(self.status)
        if shown is None:
            words = self.tr("The model is looking…") if explaining.is_looking else explaining.problem
            self.status.setText(words or self.tr("No image is shown."))
            self.view.take_picture(None)
        else:
            found = shown.explanation.prediction
            height, width = shown.explanation.resized
            self.status.setText(self.tr("as the network sees it: {} × {}").format(width, height))
            self.view.take_picture(shown.picture, found.width, found.height)
        self._fill_objects(shown.explanation if shown else None)
        self._draw()

    def _fill_objects(self, explanation: Explanation | None) -> None:
        self.object.clear()
        self.object.addItem(self.tr("None (click one)"), None)
        if explanation is not None:
            found = explanation.prediction
            for row, candidate in enumerate(explanation.second.detections.tolist()):
                name = explanation.name_of(int(found.labels[row]))
                self.object.addItem(f"{name} {found.scores[row]:.2f}", candidate)
        self.object.setEnabled(self.object.count() > 1)

    @Slot()
    def _draw(self) -> None:
        shown, look = self._explaining.shown, self._explaining.look
        self._show_settings(look, shown.explanation if shown else None)
        self.hint.setText(self._hint(look.step))
        if shown is None:
            self._tell_nothing()
            return
        self.view.draw(layers_of(shown.explanation, look), heat_of(shown.explanation, look))
        place = self.object.findData(look.chosen) if look.chosen is not None else 0
        self.object.setCurrentIndex(max(place, 0))
        self._tell(shown.explanation, look)

    def _show_settings(self, look: Look, explanation: Explanation | None) -> None:
        step = look.step
        boxes = (Step.PROPOSALS, Step.ROIS, Step.SUPPRESSION, Step.MASKS)
        for widget, steps in (
            (self.level, (Step.FEATURES,)),
            (self.channel, (Step.FEATURES,)),
            (self.part, (Step.PROPOSALS,)),
            (self.least, boxes),
        ):
            self._form.setRowVisible(widget, step in steps)
        counts = self._counts(look, explanation)
        for number, box in self.levels.items():
            box.setText(f"P{number}" + (f" ({counts.get(number, 0):,})" if counts else ""))
            # RoIAlign never reads the coarsest level.
            box.setVisible(step is Step.PROPOSALS or (step is Step.ROIS and number != LEVELS[-1]))
            box.setChecked(number in look.levels)
        for fate, box in self.fates.items():
            count = f" ({explanation.second.contest.count(fate):,})" if explanation else ""
            box.setText(self._fate_name(fate) + count)
            box.setVisible(step is Step.SUPPRESSION)
            box.setChecked(fate in look.fates)
        self.least.put(look.least)
        self.part.setCurrentIndex(self.part.findData(look.part))
        self._fill_features(look, explanation)

    @staticmethod
    def _counts(look: Look, explanation: Explanation | None) -> dict[int, int]:
        """How many boxes each level has in this step, of any score."""
        if explanation is None or look.step not in (Step.PROPOSALS, Step.ROIS):
            return {}
        first = explanation.first
        if look.step is Step.ROIS:
            levels = explanation.second.roi_levels
        else:
            levels = first.levels[first.proposals] if look.part is Part.KEPT else first.levels
        numbers, counts = np.unique(levels, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def _fill_features(self, look: Look, explanation: Explanation | None) -> None:
        self.level.clear()
        for number in LEVELS:
            text = f"P{number}"
            if explanation is not None:
                level = level_of(explanation, number)
                text += self.tr(": {} × {} cells").format(level.columns, level.rows)
            self.level.addItem(text, number)
        self.level.setCurrentIndex(self.level.findData(look.level))
        self.channel.clear()
        self.channel.addItem(self.tr("Length of the feature vector"), NORM)
        if explanation is not None:
            for place, number in enumerate(level_of(explanation, look.level).channel_numbers):
                self.channel.addItem(self.tr("Channel {}").format(number), place)
        self.channel.setCurrentIndex(max(self.channel.findData(look.channel), 0))

    # Words

    def _hint(self, step: Step) -> str:
        match step:
            case Step.FEATURES:
                return self.tr(
                    "Backbone and pyramid (FPN) turn the picture into five maps of features, each half as "
                    "fine as the one before. Bright cells answer strongly."
                )
            case Step.PROPOSALS:
                return self.tr(
                    "Stage one (RPN) scores anchors, boxes of fixed shapes on every cell, and moves the best "
                    "onto what may be an object. Of those that overlap the best goes on."
                )
            case Step.ROIS:
                return self.tr(
                    "RoIAlign cuts the same number of cells out of the features for every proposal, from a "
                    "coarser level for a larger one. Score: how likely it is any object."
                )
            case Step.SUPPRESSION:
                return self.tr(
                    "Stage two (box head) gives each proposal a class, a score and a better box. Low scores "
                    "go; of boxes of one class that overlap, the best stays."
                )
            case Step.MASKS:
                return self.tr(
                    "The mask head says for each cell of a kept box how likely it belongs to the object. "
                    "The cells are stretched over the box and cut off at the threshold. A model with a finer "
                    "second look draws its masks by that; these are those of the first."
                )

    def _fate_name(self, fate: Fate) -> str:
        return {
            Fate.KEPT: self.tr("Kept"),
            Fate.LOW_SCORE: self.tr("Score too low"),
            Fate.SMALL: self.tr("Outside the picture"),
            Fate.BEATEN: self.tr("Beaten by a better box"),
            Fate.SURPLUS: self.tr("More than are wanted"),
        }[fate]

    def _reason(self, explanation: Explanation, row: int) -> str:
        """What became of a candidate, and why."""
        contest = explanation.second.contest
        match Fate(contest.fates[row]):
            case Fate.KEPT:
                return self.tr("kept")
            case Fate.LOW_SCORE:
                return self.tr("removed: its score is not over {:.2f}").format(explanation.score)
            case Fate.SMALL:
                return self.tr("removed: nothing of it lies in the picture")
            case Fate.SURPLUS:
                return self.tr("removed: there were {} better ones").format(len(explanation.prediction))
            case Fate.BEATEN:
                winner = int(contest.beaten_by[row])
                return self.tr("removed: overlaps {} {:.2f} by IoU {:.2f}, over {:.2f}").format(
                    explanation.name_of(int(explanation.second.labels[winner])),
                    contest.scores[winner],
                    contest.iou[row],
                    explanation.second_iou,
                )

    def _tell_nothing(self) -> None:
        self.told.clear()
        self.tile.take(None)
        self.rivals.clear()
        self.rivals.hide()

    def _tell(self, explanation: Explanation, look: Look) -> None:
        self._tell_nothing()
        if look.chosen is not None:
            self._tell_story(explanation, look.chosen)
        elif self._explaining.missed is not None:
            near = candidates_near(explanation, self._explaining.missed)
            self.told.setText(
                self.tr("The model does not find the selected object by itself. What it had near it:")
                if near
                else self.tr("The model does not find the selected object, and had no box near it.")
            )
            for row, iou in near:
                self._add_rival(explanation, row, iou)
        else:
            self.told.setText(
                counted(
                    len(explanation.prediction),
                    self.tr("1 object was found. Click it, here or in the window, for its story."),
                    self.tr("{} objects were found. Click one, here or in the window, for its story."),
                )
            )

    def _tell_story(self, explanation: Explanation, candidate: int) -> None:
        story = story_of(explanation, candidate)
        first, second = explanation.first, explanation.second
        contest = second.contest
        ax0, ay0, ax1, ay1 = first.anchors_xyxy[story.anchor].tolist()
        x0, y0, x1, y1 = contest.boxes_xyxy[candidate].tolist()
        name = explanation.name_of(int(second.labels[candidate]))
        lines = [
            self.tr("{} {:.2f}: {}").format(
                name, contest.scores[candidate], self._reason(explanation, candidate)
            ),
            self.tr("Anchor of P{}, {:.0f} × {:.0f} px, objectness {:.2f}").format(
                first.levels[story.anchor], ax1 - ax0, ay1 - ay0, first.contest.scores[story.anchor]
            ),
            self.tr("Proposal {} of {}").format(story.roi + 1, len(first.proposals)),
            self.tr("RoIAlign reads {n} × {n} cells of P{level}").format(
                n=explanation.box_bins, level=second.roi_levels[story.roi]
            ),
            self.tr("Chance of no object {:.2f}; box {:.0f} × {:.0f} px").format(
                second.background[story.roi], x1 - x0, y1 - y0
            ),
        ]
        probs = explanation.prediction.mask_probs
        if story.detection is not None and probs is not None:
            lines.append(
                self.tr("Mask: {n} × {n} cells of P{level} become {m} × {m}").format(
                    n=explanation.mask_bins,
                    level=explanation.mask_levels[story.detection],
                    m=probs.shape[-1],
                )
            )
            self.tile.take(probs[story.detection])
        lines.append(counted(len(story.beaten), self.tr("Beat 1 box"), self.tr("Beat {} boxes")))
        self.told.setText("\n".join(lines))
        winner = int(contest.beaten_by[candidate])
        if winner >= 0:
            self._add_rival(explanation, winner, float(contest.iou[candidate]))
        for row in story.beaten:
            self._add_rival(explanation, row, float(contest.iou[row]))
        for row in story.others:
            self._add_rival(explanation, row, None)

    def _add_rival(self, explanation: Explanation, row: int, iou: float | None) -> None:
        """A line of the table. iou: with the object that is told of; None for another class's box."""
        second = explanation.second
        reason = self._reason(explanation, row)
        item = QTreeWidgetItem(
            [
                explanation.name_of(int(second.labels[row])),
                f"{second.contest.scores[row]:.2f}",
                "" if iou is None else f"{iou:.2f}",
                self._fate_name(Fate(second.contest.fates[row])),
            ]
        )
        item.setData(0, _ROW, row)
        item.setIcon(0, theme.swatch_icon(INKS[Ink.of_fate(Fate(second.contest.fates[row]))]))
        item.setToolTip(3, reason)
        for place in (1, 2):
            item.setTextAlignment(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.rivals.addTopLevelItem(item)
        self.rivals.show()
