"""The timeline under the picture: play, step, jump, drag, and where in the film something is on record.

Shows the film of `gui.frames` and tells it where to go; changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractSlider,
    QMenu,
    QProgressBar,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.document.records import ReviewState
from gui import theme
from gui.desk import Desk
from gui.frames import Frames
from gui.panels.parts import action_button, bar, button, label, line
from gui.panels.surveyor import Surveyor

FIRST = ("film.play", "film.back", "film.forward")
MORE = ("film.jump", "film.previous_marked", "film.next_marked", "film.label", "film.export")
"""Commands that are buttons, and those of the menu behind the last button."""

LABELLED, PROPOSED, REVIEWED = "labelled", "proposed", "reviewed"
_ORDER = (PROPOSED, LABELLED, REVIEWED)  # the last is drawn over the others
_TRACK, _MARK, _HANDLE = 4, 9, 5
_MARGIN = 7


class Scrubber(QAbstractSlider):
    """A slider over the frames with marks. Arrows step, page keys go a second, Home and End to the ends."""

    asked = Signal(int)  # go to this frame
    play_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.marks: Mapping[int, str] = {}
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setAccessibleName(self.tr("Frames"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.actionTriggered.connect(lambda _action: self.asked.emit(self.sliderPosition()))

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(400, 26)

    def set_marks(self, marks: Mapping[int, str]) -> None:
        """Mark these frames: LABELLED, PROPOSED or REVIEWED by number."""
        self.marks = marks
        counts = {kind: sum(1 for one in marks.values() if one == kind) for kind in _ORDER}
        self.setAccessibleDescription(
            self.tr("{} reviewed, {} labelled, {} proposed").format(
                counts[REVIEWED], counts[LABELLED], counts[PROPOSED]
            )
        )
        self.update()

    def place_of(self, frame: int) -> float:
        """Where a frame's middle lies, view pixels."""
        return _MARGIN + (self.width() - 2 * _MARGIN) * (frame - self.minimum()) / max(self.maximum(), 1)

    def frame_at(self, x: float) -> int:
        """The frame under a place."""
        share = (x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1)
        return min(max(round(share * self.maximum()), 0), self.maximum())

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._drag(event)
        self.setToolTip(self.tr("Frame {:,}").format(self.frame_at(event.position().x())))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.play_asked.emit()
            return
        super().keyPressEvent(event)

    def _drag(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.asked.emit(self.frame_at(event.position().x()))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        track = QRectF(_MARGIN, middle - _TRACK / 2, self.width() - 2 * _MARGIN, _TRACK)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.raised))
        painter.drawRoundedRect(track, _TRACK / 2, _TRACK / 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for kind in _ORDER:
            color = QColor(self._colors()[kind])
            for x in self._columns(kind):
                painter.fillRect(QRectF(x - 1, middle - _MARK / 2, 2, _MARK), color)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        at = self.place_of(self.value())
        handle = QRectF(at - _HANDLE / 2, 2, _HANDLE, self.height() - 4)
        painter.setBrush(QColor(now.text))
        painter.drawRoundedRect(handle, _HANDLE / 2, _HANDLE / 2)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(now.accent))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _columns(self, kind: str) -> Sequence[int]:
        """The columns with a mark of that kind: thousands of frames share a few hundred."""
        frames = np.fromiter((frame for frame, one in self.marks.items() if one == kind), np.int64)
        places = _MARGIN + (self.width() - 2 * _MARGIN) * frames / max(self.maximum(), 1)
        columns: list[int] = np.unique(places.round().astype(np.int64)).tolist()
        return columns

    @staticmethod
    def _colors() -> dict[str, str]:
        now = theme.colors()
        return {PROPOSED: now.accent, LABELLED: now.warning, REVIEWED: now.good}


class Timeline(QWidget):
    """The panel; hidden while no film is open. actions: play, back, forward; more: a menu's."""

    def __init__(
        self,
        frames: Frames,
        desk: Desk,
        surveyor: Surveyor,
        actions: Sequence[QAction],
        more: Sequence[QAction],
    ) -> None:
        super().__init__()
        self._frames, self._desk, self._surveyor = frames, desk, surveyor
        self._play = actions[0]
        self.setAccessibleName(self.tr("Timeline"))
        self.scrubber = Scrubber()
        self.number = QSpinBox()
        self.number.setAccessibleName(self.tr("Frame"))
        self.number.setToolTip(self.tr("The frame that is shown, counted from 0"))
        self.number.setKeyboardTracking(False)
        self.number.setGroupSeparatorShown(True)
        self.time = label(role="muted")
        self.time.setAccessibleName(self.tr("Time"))
        self.exporting = QProgressBar()
        self.exporting.setAccessibleName(self.tr("Frames written"))
        self.exporting.setMaximumWidth(120)
        self.exporting.setMaximumHeight(6)
        self.exporting.setTextVisible(False)
        self.stop_export = button("stop", self.tr("Stop writing frames"))
        self.stop_export.clicked.connect(frames.stop_export)
        self._lay_out(self._buttons(actions, more))
        self._connect()
        self._on_export(0, 0)
        self._on_clip()

    def _buttons(self, actions: Sequence[QAction], more: Sequence[QAction]) -> list[QToolButton]:
        buttons = [action_button(action) for action in actions]
        self.menu_button = button("more", self.tr("More for this film"))
        menu = QMenu(self.menu_button)
        menu.addActions(list(more))
        self.menu_button.setMenu(menu)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        return buttons

    def _lay_out(self, buttons: Sequence[QToolButton]) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(line())
        row = bar(
            *buttons, self.scrubber, self.number, self.time, self.exporting, self.stop_export,
            self.menu_button,
        )  # fmt: skip
        row.setContentsMargins(theme.SPACE, theme.TIGHT, theme.SPACE, theme.TIGHT)
        row.setSpacing(theme.TIGHT)
        row.setStretch(len(buttons), 1)
        layout.addLayout(row)

    def _connect(self) -> None:
        frames, desk = self._frames, self._desk
        self.scrubber.asked.connect(frames.go)
        self.scrubber.play_asked.connect(frames.toggle)
        self.number.valueChanged.connect(frames.go)
        frames.clip_changed.connect(self._on_clip)
        frames.frame_changed.connect(self._on_frame)
        frames.exporting.connect(self._on_export)
        frames.playing_changed.connect(self._on_playing)
        desk.media_changed.connect(self._mark)
        desk.item_changed.connect(self._on_item)
        self._surveyor.changed.connect(self._mark)

    @Slot()
    def _on_clip(self) -> None:
        clip = self._frames.clip
        self.setVisible(clip is not None)
        if clip is None:
            return
        for one in (self.scrubber, self.number):
            one.blockSignals(True)
            one.setRange(0, clip.count - 1)
            one.blockSignals(False)
        self.scrubber.setPageStep(max(round(clip.rate), 1))
        widest = self.time.fontMetrics().horizontalAdvance(self._time_text(clip.count - 1))
        self.time.setMinimumWidth(widest + theme.SPACE)
        self._mark()
        self._on_frame()

    @Slot()
    def _on_frame(self) -> None:
        if self._frames.clip is None:
            return
        for one in (self.scrubber, self.number):
            one.blockSignals(True)
            one.setValue(self._frames.frame)
            one.blockSignals(False)
        self.scrubber.update()
        self.time.setText(self._time_text(self._frames.frame))

    @Slot()
    def _on_playing(self) -> None:
        self._play.setIcon(theme.icon("pause" if self._frames.is_playing else "play"))

    def _time_text(self, frame: int) -> str:
        clip = self._frames.clip
        if clip is None:
            return ""
        if clip.index is None:
            return self.tr("of {:,} pages").format(clip.count)
        return f"{_clock(clip.seconds(frame))} / {_clock(clip.seconds(clip.count - 1))}"

    @Slot(int)
    def _on_item(self, media_id: int) -> None:
        clip = self._frames.clip
        if clip is not None and self._desk.knows(media_id) and self._desk.item(media_id).path == clip.path:
            self._mark()

    @Slot()
    def _mark(self) -> None:
        clip = self._frames.clip
        if clip is None:
            return
        survey = self._surveyor.survey
        with_instances = set(survey.media_ids[survey.counts > 0].tolist())
        marks = {}
        for item in self._desk.media:
            if item.path != clip.path:
                continue
            review = self._desk.state_of(item.id).review
            if review is ReviewState.REVIEWED:
                marks[item.frame] = REVIEWED
            elif review is ReviewState.PROPOSED:
                marks[item.frame] = PROPOSED
            elif item.id in with_instances:
                marks[item.frame] = LABELLED
        self.scrubber.set_marks(marks)

    @Slot(int, int)
    def _on_export(self, done: int, total: int) -> None:
        for one in (self.exporting, self.stop_export):
            one.setVisible(done < total)
        self.exporting.setRange(0, max(total, 1))
        self.exporting.setValue(done)


def _clock(seconds: float) -> str:
    """Minutes, seconds and hundredths; hours where there are any."""
    whole, hundredths = divmod(round(seconds * 100), 100)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest:02d}.{hundredths:02d}"
