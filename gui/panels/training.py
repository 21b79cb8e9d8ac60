"""The training under way, or the last one: curves, pace, held-out images getting better, how it ended.

Shows `Tuning`; what a person does here are commands.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from gui import theme
from gui.commands.registry import translated
from gui.desk import Desk
from gui.panels.curves import Curve, Plot
from gui.panels.jobs import in_words
from gui.panels.parts import action_button, label
from gui.panels.quality import QualityView
from gui.panels.strip import Strip
from gui.quality import Quality
from gui.tuning import Stage, Training, Tuning
from gui.verdicts import headline

ACTIONS = {
    "tune.pause": "Pause",
    "tune.resume": "Resume",
    "tune.cancel": "Stop",
    "tune.go_on": "Continue",
    "tune.discard": "Forget",
    "tune.verdict": "Compare",
    "tune.go_back": "Go back",
}
"""The commands that the panel offers, with the words for which a small button has room."""

_LEFT = 270
_PROGRESS = 1000  # parts of the bar


class TrainingPanel(QWidget):
    """actions: each is seen while it can be run."""

    def __init__(self, tuning: Tuning, desk: Desk, quality: Quality, actions: Sequence[QAction]) -> None:
        super().__init__()
        self._tuning, self._desk = tuning, desk
        self.setAccessibleName(self.tr("Training"))
        self.title, self.pace, self.facts = label(role="heading"), label(), label(role="muted")
        for one in (self.title, self.pace, self.facts):
            one.setWordWrap(True)
            one.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setAccessibleName(self.tr("Progress of the training"))
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.loss = Plot(self.tr("Loss by step"), smooths=True)
        self.ap = Plot(self.tr("Mask AP by step"), top=1.0)
        self.ap.setToolTip(
            self.tr("On images that it does not learn from; dashed: the model that it began from")
        )
        self.quality = QualityView(quality)
        self.strip = Strip(tuning, desk.background)
        self._buttons = [self._button(action) for action in actions]
        self._lay_out()
        tuning.changed.connect(self.refresh)
        self.refresh()

    def _button(self, action: QAction) -> QToolButton:
        action.setIconText(translated(ACTIONS.get(action.objectName(), action.iconText())))
        made = action_button(action, says=True)
        made.setVisible(action.isEnabled())
        action.enabledChanged.connect(made.setVisible)
        return made

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(theme.SPACE)
        for widget in (self.title, self.bar, self.pace, self.facts):
            left.addWidget(widget)
        left.addSpacing(theme.TIGHT)
        left.addWidget(self.quality)
        left.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(theme.TIGHT)
        for button in self._buttons:
            row.addWidget(button)
        row.addStretch(1)
        left.addLayout(row)
        words = QWidget()
        words.setLayout(left)
        left.setContentsMargins(0, 0, 0, 0)
        words.setFixedWidth(_LEFT)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.WIDE, theme.SPACE, theme.WIDE, theme.SPACE)
        layout.setSpacing(theme.WIDE)
        layout.addWidget(words)
        layout.addWidget(self.loss, 3)
        layout.addWidget(self.ap, 3)
        layout.addWidget(self.strip, 5)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """The curves are fetched when somebody looks."""
        super().showEvent(event)
        self.loss.begin(self._desk.background)
        self.ap.begin(self._desk.background)

    @Slot()
    def refresh(self) -> None:
        """Show what is known now."""
        training = self._tuning.training
        self.bar.setVisible(training is not None and not training.stage.is_over)
        if training is None:
            self.title.setText(self.tr("No training yet"))
            self.pace.setText(self.tr("Review some images, then press Ctrl+T: the model learns from them."))
            self.facts.clear()
        else:
            self.title.setText(self._titled(training))
            self.pace.setText(self._paced(training))
            self.facts.setText(self._facts(training))
            self.facts.setHidden(training.stage.is_over)
            self.bar.setRange(0, 0 if training.is_preparing else _PROGRESS)
            self.bar.setValue(round(training.progress * _PROGRESS))
        self._show_curves(training)

    def _titled(self, training: Training) -> str:
        match training.stage:
            case Stage.STARTING:
                return self.tr("Getting ready to learn…")
            case Stage.LEARNING:
                return self.tr("Learning {}").format(training.name)
            case Stage.PAUSED:
                return self.tr("Paused: {}").format(training.name)
            case Stage.JUDGING:
                return self.tr("Comparing with the model that it began from")
            case Stage.STOPPING:
                return self.tr("Stopping…")
            case Stage.STOPPED:
                return self.tr("Stopped. The model in use is as before.")
            case Stage.FAILED:
                return self.tr("Nothing was learned. The model in use is as before.")
            case Stage.DONE:
                verdict = self._tuning.verdict
                return headline(verdict) if verdict else self.tr("{} is learned").format(training.name)

    def _paced(self, training: Training) -> str:
        if training.stage is Stage.FAILED:
            return training.problem
        if training.stage.is_over:
            return self._ended(training)
        parts = [training.doing] if training.doing else []
        if training.step and not training.doing:
            of = f" {self.tr('of')} {training.steps:,}" if training.steps else ""
            parts.append(self.tr("step {:,}").format(training.step) + of)
        if training.seconds_left is not None and training.stage is not Stage.PAUSED:
            parts.append(self.tr("{} left").format(in_words(training.seconds_left)))
        return " · ".join(parts)

    def _ended(self, training: Training) -> str:
        verdict = self._tuning.verdict
        if training.stage is Stage.DONE and verdict is not None:
            return verdict.reason
        if training.resumable is not None:
            return self.tr("{} can go on after step {:,}.").format(training.name, training.resumable)
        return ""

    def _facts(self, training: Training) -> str:
        if training.stage.is_over:
            return ""
        parts = []
        if training.seconds_a_step:
            pace = training.seconds_a_step
            rate = self.tr("{:.1f} steps a second") if pace < 1 else self.tr("{:.1f} s a step")
            parts.append(rate.format(1 / pace if pace < 1 else pace))
        if training.memory:
            parts.append(self.tr("{:.1f} GB of memory").format(training.memory / 1e9))
        if training.device:
            parts.append(training.device)
        return "\n".join(filter(None, (" · ".join(parts), training.note)))

    def _show_curves(self, training: Training | None) -> None:
        losses, aps = Curve.of(self._tuning.losses), Curve.of(self._tuning.aps)
        steps = float(training.steps or 0) if training else 0.0
        smooth = losses.smoothed().y
        self.loss.take(losses, told=f"{smooth[-1]:.3f}" if len(smooth) else "", end=steps)
        level = float("nan")
        if not self._tuning.aps and self._tuning.pictures:  # too few images to measure on in between
            aps = Curve.of([(one.step, one.ap) for one in self._tuning.pictures])
            level = float(aps.y[0])
        told = f"{aps.y[-1]:.2f}" if len(aps.y) else ""
        self.ap.take(aps, told=told, level=level, end=steps)
