"""Lines over the picture while reviewed images are looked through: how far the model is, and what it says.

Shows `Review` and `Disputes`; what a person does here are commands.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QProgressBar, QWidget

from engine.project.examined import ConflictKind
from gui import theme
from gui.commands.registry import translated
from gui.disputes import Dispute, Disputes
from gui.panels.jobs import in_words
from gui.panels.parts import action_button, bar, column, label
from gui.review import Review, Wanted

ACTIONS = ("review.take", "review.keep", "review.next_mistake", "review.close", "review.stop")
"""The commands that the lines offer, the last of them for the job."""


class ReviewBar(QWidget):
    """Each line is seen while there is something to tell."""

    def __init__(self, review: Review, disputes: Disputes, actions: list[QAction]) -> None:
        super().__init__()
        self._review, self._disputes = review, disputes
        self.setAccessibleName(self.tr("Review"))
        self.told = label()
        self.told.setWordWrap(True)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._take, keep, following, close, stop = (action_button(one, says=True) for one in actions)
        self._settling = (self._take, keep)
        self.doing, self.bar = label(), QProgressBar()
        self.bar.setAccessibleName(self.tr("Images looked at"))
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setMaximumWidth(220)
        self.dispute, self.job = QWidget(), QWidget()
        for one in (following, close):  # the words of the first two matter more
            one.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        for row, widgets in (
            (self.job, (self.doing, self.bar, None, stop)),
            (self.dispute, (self.told, self._take, keep, following, close)),
        ):
            layout = bar(*widgets)
            layout.setStretchFactor(self.told, 1)
            layout.setContentsMargins(theme.SPACE, theme.TIGHT, theme.SPACE, theme.TIGHT)
            layout.setSpacing(theme.SPACE)
            row.setLayout(layout)
        rows = column(self, margin=0)
        rows.setSpacing(0)
        rows.addWidget(self.job)
        rows.addWidget(self.dispute)
        theme.theme().changed.connect(self._dress)
        self._dress()
        review.progressed.connect(self.refresh)
        disputes.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def _dress(self) -> None:
        self.dispute.setStyleSheet(f".QWidget {{ background: {theme.colors().raised}; }}")

    @Slot()
    def refresh(self) -> None:
        """Show what is known now."""
        looking, now = self._review.looking, self._disputes.current
        self.job.setVisible(looking is not None)
        self.dispute.setVisible(self._disputes.is_open)
        self.setVisible(looking is not None or self._disputes.is_open)
        if looking is not None:
            told = {
                Wanted.WORTH: self.tr("The model looks for what is worth a look"),
                Wanted.MISTAKES: self.tr("The model looks through the reviewed images"),
            }[looking.wanted]
            if looking.total:
                told += self.tr(", {:,} of {:,}").format(looking.done, looking.total)
            if looking.seconds_left:
                told += self.tr(", {} left").format(in_words(looking.seconds_left))
            self.doing.setText(told)
            self.bar.setRange(0, looking.total)
            self.bar.setValue(looking.done)
        for button in self._settling:
            button.setVisible(now is not None)
        self.told.setText(self._words(now))

    def _words(self, now: Dispute | None) -> str:
        disputes = self._disputes
        if now is None:
            return self.tr("Nothing is in dispute on this image any more.")
        place = ""
        if len(disputes.all) > 1:
            place = self.tr("{} of {}: ").format(disputes.place + 1, len(disputes.all))
        waits = self.tr(" It is asked what it sees…") if disputes.is_waiting else ""
        return f"{place}{said_of(now, self._named(now))}{waits}"

    def _named(self, now: Dispute) -> str:
        return self._disputes.name_of(now.conflict.instance)


def said_of(dispute: Dispute, labelled: str) -> str:
    """What the model says against the label. labelled: the class that the person gave."""
    tr, conflict = translated, dispute.conflict
    match conflict.kind:
        case ConflictKind.FORGOTTEN:
            return tr("The model sees a {} ({:.0%}) where nothing is labelled.").format(
                conflict.class_name, conflict.weight
            )
        case ConflictKind.DOUBTED:
            return tr("The model sees nothing where a {} is labelled.").format(conflict.class_name)
        case ConflictKind.OTHER_CLASS:
            return tr("The model takes this {} for a {} ({:.0%}).").format(
                labelled, conflict.class_name, conflict.weight
            )
        case ConflictKind.OUTLINE:
            return tr("The model draws the outline of this {} otherwise.").format(conflict.class_name)
