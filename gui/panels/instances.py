"""The instances of the shown image, the topmost first. Shows the editor and selects in it; changes nothing.

Accepting and rejecting are commands: `asked` names them.
"""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    QStringListModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from engine.document.records import Instance, Provenance
from engine.upgrading import DISAGREES, is_doubtful
from gui import counts, theme
from gui.editor import Editor
from gui.panels.parts import EmptyHint, bar, button, column, elided, label

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 28
_GREY = "#969696"
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


class InstanceModel(QStringListModel):
    """The listed instances; `rows` from the topmost down."""

    def __init__(self, editor: Editor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.editor = editor
        self.rows: list[Instance] = []
        self.places: dict[int, int] = {}
        self.names: dict[int, tuple[str, str]] = {}  # class id -> name, colour

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole) and index.isValid():
            return self.told(self.rows[index.row()])
        return super().data(index, role)

    def take(self, instances: list[Instance]) -> bool:
        """List these; False where the rows stay and only their looks may be others."""
        self.names = {one.id: (one.name, one.color) for one in self.editor.classes}
        gone = self.tr("(deleted class)")
        strings = [self.names.get(one.class_id, (gone, ""))[0] for one in instances]
        same = [one.id for one in instances] == [one.id for one in self.rows] and strings == self.stringList()
        self.rows = instances
        self.places = {one.id: row for row, one in enumerate(instances)}
        if same:
            if instances:
                self.dataChanged.emit(self.index(0), self.index(len(instances) - 1))
            return False
        self.setStringList(strings)
        return True

    def name(self, instance: Instance) -> str:
        """The name of its class."""
        return self.names.get(instance.class_id, (self.tr("(deleted class)"), ""))[0]

    def color(self, instance: Instance) -> str:
        """The colour of its class."""
        return self.names.get(instance.class_id, ("", _GREY))[1]

    def why_hidden(self, instance: Instance) -> str:
        """Why it is not seen; empty where it is."""
        sight = self.editor.sight
        if sight.shows(instance):
            return ""
        if sight.hide_all:
            return self.tr("Everything is hidden")
        if instance.class_id in sight.hidden_classes:
            return self.tr("Its class is hidden")
        if instance.score is not None and instance.score < sight.score:
            return self.tr("Its score is below the slider's {:.2f}").format(sight.score)
        return self.tr("A better proposal or the class filter hides it")

    def told(self, instance: Instance) -> str:
        """All that a row shows, in words."""
        words = [self.name(instance), provenance_words(self, instance.provenance)]
        if instance.score is not None:
            words.append(self.tr("score {:.2f}").format(instance.score))
        words += [f"{name}: {value}" for name, value in instance.attributes if name != DISAGREES]
        if is_doubtful(instance):
            words.append(self.tr("its mask is to be looked at"))
        hidden = self.why_hidden(instance)
        return ", ".join(words) + (f"\n{hidden}" if hidden else "")


def provenance_words(owner: QObject, provenance: Provenance) -> str:
    """A provenance in words."""
    match provenance:
        case Provenance.PREDICTED:
            return owner.tr("proposed")
        case Provenance.ACCEPTED:
            return owner.tr("accepted")
        case Provenance.CORRECTED:
            return owner.tr("corrected")
        case Provenance.DRAWN:
            return owner.tr("drawn")
        case Provenance.IMPORTED:
            return owner.tr("imported")


class InstanceDelegate(QStyledItemDelegate):
    """A row: the class's colour and name, provenance, score. Hidden ones are pale, doubtful masks flagged."""

    def __init__(self, model: InstanceModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802
        return QSize(180, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        now, model = theme.colors(), self._model
        instance = model.rows[index.row()]
        rect: QRect = option.rect
        hidden = bool(model.why_hidden(instance))
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(now.selection))
        elif model.editor.hovered == instance.id:
            painter.fillRect(rect, QColor(now.raised))
        swatch = QRectF(rect.left() + theme.SPACE, rect.center().y() - 5.5, 12, 12)
        _paint_kind(painter, swatch, model.color(instance), instance, hidden=hidden)
        right = rect.right() - theme.SPACE
        metrics = painter.fontMetrics()
        painter.setPen(QColor(now.disabled if hidden else now.muted))
        score = QRect(0, rect.top(), metrics.horizontalAdvance("0.00"), rect.height())
        score.moveRight(right)
        if instance.score is not None:
            painter.drawText(score, _MIDDLE | Qt.AlignmentFlag.AlignRight, f"{instance.score:.2f}")
        words = provenance_words(model, instance.provenance)
        room = QRect(0, rect.top(), metrics.horizontalAdvance(words), rect.height())
        room.moveRight(score.left() - theme.SPACE)
        painter.drawText(room, _MIDDLE | Qt.AlignmentFlag.AlignRight, words)
        marks = [("flag", now.danger)] * is_doubtful(instance) + [("eye-off", now.disabled)] * hidden
        for icon, color in marks:
            mark = theme.icon_pixmap(icon, color, 14, painter.device().devicePixelRatio())
            room.moveLeft(room.left() - 14 - theme.TIGHT)
            painter.drawPixmap(room.left(), rect.center().y() - 6, mark)
        left = int(swatch.right()) + theme.SPACE
        name = QRect(left, rect.top(), room.left() - theme.SPACE - left, rect.height())
        painter.setPen(QColor(now.disabled if hidden else now.text))
        text = elided(painter, model.name(instance), name.width(), Qt.TextElideMode.ElideRight)
        painter.drawText(name, _MIDDLE | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()


def _paint_kind(painter: QPainter, rect: QRectF, color: str, instance: Instance, *, hidden: bool) -> None:
    """A filled swatch; for a proposal a dashed one, as the canvas draws it."""
    painter.setOpacity(0.4 if hidden else 1.0)
    if instance.provenance.is_proposal:
        edge = QColor(color)
        pen = QPen(edge.lighter(140) if theme.colors().is_dark else edge, 1.5)
        pen.setDashPattern([2.0, 1.6])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pen)
        painter.drawRoundedRect(rect.adjusted(0.75, 0.75, -0.75, -0.75), 3, 3)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    else:
        theme.paint_swatch(painter, rect, color)
    painter.setOpacity(1.0)


class Instances(QWidget):
    """The panel."""

    asked = Signal(str)  # a command's id
    menu_wanted = Signal(QPoint)  # on the screen

    def __init__(self, editor: Editor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor = editor
        self._is_following = False
        self.model = InstanceModel(editor, self)
        self.accept = button("accept", self.tr("Accept the selected proposals"), self.tr("Enter"))
        self.reject = button("reject", self.tr("Reject the selected proposals"), "X")
        self.accept_all = button(
            "accept-all", self.tr("Accept all visible proposals"), self.tr("Shift+Enter")
        )
        self.delete = button("trash", self.tr("Delete the selected instances"), self.tr("Delete"))
        self.hidden = button("eye-off", self.tr("List the hidden instances too"), checkable=True)
        for one, command in (
            (self.accept, "predict.accept"),
            (self.reject, "predict.reject"),
            (self.accept_all, "predict.accept_all"),
            (self.delete, "shape.delete"),
        ):
            one.clicked.connect(lambda _on=False, command=command: self.asked.emit(command))
        self.hidden.toggled.connect(self.refresh)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(InstanceDelegate(self.model, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName(self.tr("Instances"))
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.view.entered.connect(lambda index: editor.hover(self.model.rows[index.row()].id))
        self.view.viewport().installEventFilter(self)
        self.view.selectionModel().selectionChanged.connect(self._on_selected)
        self.empty = EmptyHint(self.view)
        self.summary = label(role="muted")
        layout = column(self, margin=0)
        layout.setSpacing(0)
        top = column(head := QWidget(), margin=theme.TIGHT)
        top.addLayout(bar(self.accept, self.reject, self.accept_all, self.delete, None, self.hidden))
        layout.addWidget(head)
        layout.addWidget(self.view, 1)
        bottom = column(foot := QWidget())
        bottom.addWidget(self.summary)
        layout.addWidget(foot)
        editor.image_changed.connect(self.refresh)
        editor.edited.connect(self.refresh)
        editor.sight_changed.connect(self.refresh)
        editor.classes_changed.connect(self.refresh)
        editor.selection_changed.connect(self._follow)
        editor.hover_changed.connect(self.view.viewport().update)
        self.refresh()

    @Slot()
    def refresh(self, *_anything: object) -> None:
        """List what the editor has now."""
        document = self._editor.document
        found = list(reversed(document.instances)) if document else []
        seen = list(reversed(self._editor.visible))
        self._is_following = True
        self.model.take(found if self.hidden.isChecked() else seen)
        self._is_following = False
        self._follow()
        self._tell(len(found), len(seen))

    @Slot()
    def _follow(self) -> None:
        """Select what the editor has selected."""
        if self._is_following:
            return
        rows = sorted(self.model.places[id_] for id_ in self._editor.selection if id_ in self.model.places)
        model, selection = self.view.selectionModel(), QItemSelection()
        if rows != sorted(index.row() for index in model.selectedRows()):
            for row in rows:
                selection.select(self.model.index(row), self.model.index(row))
            self._is_following = True
            model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            if rows:
                model.setCurrentIndex(self.model.index(rows[0]), QItemSelectionModel.SelectionFlag.NoUpdate)
                self.view.scrollTo(self.model.index(rows[0]))
            self._is_following = False
        self._enable()

    @Slot()
    def _on_selected(self) -> None:
        if self._is_following:
            return
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        self._is_following = True
        self._editor.select(self.model.rows[row].id for row in rows)
        self._is_following = False
        self._enable()

    @Slot(QPoint)
    def _on_menu(self, at: QPoint) -> None:
        if self._editor.selection:  # the press has selected what it was on
            self.menu_wanted.emit(self.view.viewport().mapToGlobal(at))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Leave:
            self._editor.hover(None)
        return super().eventFilter(watched, event)

    def _enable(self) -> None:
        may = self._editor.shown is not None and not self._editor.is_read_only
        # Right after an edit the selection may still name what it removed.
        records = self._editor.document.records if self._editor.document else {}
        chosen = [one for id_ in self._editor.selection if isinstance(one := records.get(id_), Instance)]
        some = any(one.provenance.is_proposal for one in chosen)
        self.accept.setEnabled(may and some)
        self.reject.setEnabled(may and some)
        self.delete.setEnabled(may and bool(chosen))
        self.accept_all.setEnabled(may and any(one.provenance.is_proposal for one in self._editor.visible))

    def _tell(self, found: int, seen: int) -> None:
        hidden = found - seen
        if hidden:
            text = self.tr("{:,} seen, {:,} hidden").format(seen, hidden)
        else:
            text = counts.instances(found) if found else ""
        self.summary.setText(text)
        if self.model.rows:
            self.empty.say("")
        elif self._editor.shown is None:
            self.empty.say(self.tr("No image is shown."))
        elif hidden:
            self.empty.say(self.tr("All instances of this image are hidden."))
        else:
            self.empty.say(self.tr("Nothing here yet: draw an instance, or press I to have the model look."))
