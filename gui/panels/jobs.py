"""The run over many images under way, or the last one: progress, pace, failures, stop, go on, undo."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from gui import counts
from gui.counts import counted
from gui.jobs import Jobs, Run, Stage
from gui.panels.parts import action_button, button
from gui.theme import SPACE


class JobsPanel(QWidget):
    """Hides itself while there is nothing to tell. actions: stop, go on, undo."""

    def __init__(self, jobs: Jobs, actions: tuple[QAction, QAction, QAction]) -> None:
        super().__init__()
        self._jobs = jobs
        self._actions = actions
        self.setAccessibleName(self.tr("Labelling"))
        self._title = QLabel()
        self._bar = QProgressBar()
        self._bar.setAccessibleName(self.tr("Images labelled"))
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setMaximumWidth(220)
        self._pace = QLabel()
        self._pace.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for label in (self._title, self._pace):  # a long one must not push the panels aside
            label.setMinimumWidth(1)
        self.failures = QListWidget()
        self.failures.setAccessibleName(self.tr("Images that failed"))
        self.failures.setMaximumHeight(96)
        self.failures.setWordWrap(True)
        self._buttons = []
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self._title)
        row.addWidget(self._bar)
        row.addWidget(self._pace, 1)
        for action in actions:
            self._buttons.append(action_button(action, says=True))
            row.addWidget(self._buttons[-1])
        self.dismiss = button("close", self.tr("Hide this line"))
        self.dismiss.clicked.connect(self.hide)
        row.addWidget(self.dismiss)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.setSpacing(SPACE)
        layout.addLayout(row)
        layout.addWidget(self.failures)
        jobs.changed.connect(self._refresh)
        self._last: Stage | None = None
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        run = self._jobs.run
        if run is None:
            self._last = None
            self.hide()
            return
        if run.stage is not self._last:
            self._last = run.stage
            self.show()
        self._title.setText(self._titled(run))
        self._bar.setRange(0, 0 if run.stage is Stage.STARTING else max(run.total, 1))
        self._bar.setValue(run.done if run.total else 1)
        self._bar.setVisible(not run.stage.is_over)
        self._pace.setText(self._paced(run))
        self.dismiss.setVisible(run.stage.is_over)
        stop, go_on, undo = self._buttons
        stop.setVisible(not run.stage.is_over)
        go_on.setVisible(self._jobs.can_go_on)
        undo.setVisible(run.stage.is_over and bool(self._jobs.batches) and not run.is_upgrade)
        while self.failures.count() < len(run.failures):
            path, reason = run.failures[self.failures.count()]
            self.failures.addItem(reason if path in reason else f"{path}: {reason}")
        if not run.failures:
            self.failures.clear()
        self.failures.setVisible(bool(run.failures))

    def _titled(self, run: Run) -> str:
        match run.stage:
            case Stage.STARTING:
                return self.tr("The model is being loaded…")
            case Stage.RUNNING:
                doing = (
                    self.tr("Boxes to masks: {done:,} of {total:,}")
                    if run.is_upgrade
                    else self.tr("Labelling {done:,} of {total:,}")
                )
                return doing.format(done=run.done, total=run.total)
            case Stage.STOPPING:
                return self.tr("Stopping after this image…")
            case Stage.DONE if run.is_upgrade and not run.done:
                return self.tr("Every box has its mask already")
            case Stage.DONE if run.is_upgrade:
                boxes = counted(run.instances, self.tr("1 box"), self.tr("{} boxes"))
                return self.tr("Masks now: {} of {}").format(
                    boxes, counts.images(run.done - len(run.failures))
                )
            case Stage.DONE:
                labelled = counts.images(run.done - len(run.failures))
                # All that are kept: lists count those above the score slider, which may move.
                found = counts.proposals(run.instances)
                return self.tr("Labelled {}, {} of any score").format(labelled, found)
            case Stage.CANCELED:
                return self.tr("Stopped after {done:,} of {total:,}").format(done=run.done, total=run.total)
            case Stage.FAILED:
                return run.problem

    def _paced(self, run: Run) -> str:
        parts = []
        if not run.stage.is_over:
            if run.rate:
                parts.append(self.tr("{:.1f} images a second").format(run.rate))
            if run.seconds_left is not None and run.done < run.total:
                parts.append(self.tr("{} left").format(in_words(run.seconds_left)))
            if run.device:
                parts.append(run.device.partition(":")[0])
        else:
            if run.up_to_date:
                parts.append(self.tr("{:,} up to date").format(run.up_to_date))
            if run.reviewed:
                parts.append(self.tr("{:,} reviewed and left alone").format(run.reviewed))
        if run.doubtful:
            said = self.tr("to be looked at: {:,} (no mask, or one that disagrees with its box)")
            parts.append(said.format(run.doubtful))
        if run.failures:
            parts.append(self.tr("{:,} failed").format(len(run.failures)))
        return " · ".join(parts)


def in_words(seconds: float) -> str:
    """A span of time as people say it: 40 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
