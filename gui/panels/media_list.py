"""The list of images: search, filter, sort, and the way to each of them.

It is sorted and filtered when a person says so, not by itself while they work: rows do not jump away under
the pointer. Shows the desk's images and asks the desk to show one; changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QActionGroup, QCloseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from engine.document.records import MediaItem, ReviewState
from gui import counts, theme
from gui.desk import Desk
from gui.panels.media_filter import Columns, Sort, Standing
from gui.panels.media_filter_form import FilterForm
from gui.panels.media_model import MediaDelegate, MediaModel
from gui.panels.parts import EmptyHint, bar, button, column, label
from gui.panels.surveyor import Surveyor
from gui.panels.thumbnails import Thumbnails, Wanted
from gui.review import Review

_TYPING_MS = 150
_SCROLLED_MS = 30
_OF_REVIEW = (Sort.WORTH, Sort.MISTAKE)
_AHEAD = 4  # rows above and below the visible ones whose thumbnails are made too


class MediaList(QWidget):
    """The panel. Close it, or call `stop`, to end its threads."""

    asked = Signal(str)  # a command's id

    def __init__(
        self, desk: Desk, surveyor: Surveyor, review: Review | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._surveyor = surveyor
        self._review = review
        self._waits_for_review = False  # to sort by what is being read
        self._sort = Sort.NAME
        self._is_stale = False
        self._is_listing = False
        self._thumbnails = Thumbnails(self.devicePixelRatioF())
        self._pictured: dict[int, tuple[object, ...]] = {}  # what a thumbnail was asked for, by media id
        self.model = MediaModel(desk, self)
        self.search = QLineEdit()
        self.search.setAcceptDrops(False)  # what is dropped here is to be opened as it is anywhere else
        self.filter_button = button("filter", self.tr("Filter images"), checkable=True)
        self.sort_button = button("sort", self.tr("Sort images"))
        self.form = FilterForm()
        self.all_files = QPushButton(self.tr("Opened files only: show all"))
        self.view = QListView()
        self._make_top()
        self._make_view()
        self._make_bottom()
        layout = column(self, margin=0)
        layout.setSpacing(0)
        top = column(inner := QWidget())
        top.addLayout(bar(self.search, self.filter_button, self.sort_button))
        top.addWidget(self.form)
        top.addWidget(self.all_files)
        layout.addWidget(inner)
        layout.addWidget(self.view, 1)
        bottom = column(foot := QWidget(), margin=theme.TIGHT)
        bottom.addLayout(bar(self.summary, None, self.again))
        bottom.setContentsMargins(theme.SPACE, theme.TIGHT, theme.TIGHT, theme.TIGHT)
        layout.addWidget(foot)
        self._typing = QTimer(self, interval=_TYPING_MS, singleShot=True)
        self._typing.timeout.connect(self.list_anew)
        self._scrolled = QTimer(self, interval=_SCROLLED_MS, singleShot=True)
        self._scrolled.timeout.connect(self._want_thumbnails)
        desk.media_changed.connect(self._on_media)
        desk.project_changed.connect(self._on_project)
        desk.opening.connect(self._say)
        desk.current_changed.connect(self._follow_current)
        desk.item_changed.connect(self._on_item)
        desk.editor.classes_changed.connect(self._on_classes)
        desk.editor.sight_changed.connect(self._on_sight)
        surveyor.changed.connect(self._on_survey)
        if review is not None:
            review.changed.connect(self._on_review)
        self._score = desk.editor.sight.score
        self._on_classes()
        self._on_media()

    # Making

    def _make_top(self) -> None:
        self.search.setPlaceholderText(self.tr("Search names and flags"))
        self.search.setAccessibleName(self.tr("Search images"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _text: self._typing.start())
        self.sort_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.sort_button)
        group = QActionGroup(menu)
        for sort, title in (
            (Sort.NAME, self.tr("By name")),
            (Sort.WORTH, self.tr("Next to look at first")),
            (Sort.MISTAKE, self.tr("Likely mistakes first")),
            (Sort.UNCERTAINTY, self.tr("Most uncertain first")),
            (Sort.SCORE, self.tr("Lowest score first")),
            (Sort.COUNT, self.tr("Most instances first")),
        ):
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setChecked(sort is Sort.NAME)
            action.triggered.connect(lambda _on=False, sort=sort: self.sort_by(sort))
            group.addAction(action)
        self.sort_button.setMenu(menu)
        self.all_files.setToolTip(self.tr("List every image of the folder"))
        self.all_files.clicked.connect(lambda: self._desk.list_only(()))
        self.form.hide()
        self.form.changed.connect(self._typing_done)
        self.filter_button.toggled.connect(self._show_form)

    def _make_view(self) -> None:
        self.view.setModel(self.model)
        self.view.setItemDelegate(MediaDelegate(self.model, self._thumbnails, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName(self.tr("Images"))
        self.empty = EmptyHint(self.view)
        self.view.verticalScrollBar().valueChanged.connect(lambda _value: self._scrolled.start())
        self.view.viewport().installEventFilter(self)
        self.view.selectionModel().currentChanged.connect(self._on_picked)
        self.view.selectionModel().selectionChanged.connect(self._on_selection)
        self._thumbnails.ready.connect(lambda media_id: self.model.touch([media_id]))

    def _make_bottom(self) -> None:
        self.summary = label(role="muted")
        self.again = button(
            "refresh",
            self.tr("Sort and filter again"),
            self.tr("Images have changed since"),
        )
        self.again.clicked.connect(self.list_anew)

    # What a person does

    def sort_by(self, sort: Sort) -> None:
        """Sort the list from now on."""
        self._sort = sort
        if self._review is not None and sort in _OF_REVIEW:
            self._waits_for_review = True
            self._review.read(queue=sort is Sort.WORTH)
        self.list_anew()

    def stop(self) -> None:
        """End the threads."""
        self._thumbnails.close()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        self.stop()
        super().closeEvent(event)

    @Slot(bool)
    def _show_form(self, shown: bool) -> None:
        self.form.setVisible(shown)
        if not shown:
            self.form.reset()

    @Slot()
    def _typing_done(self) -> None:
        self._typing.start()

    @Slot(QModelIndex, QModelIndex)
    def _on_picked(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and not self._is_listing:
            media_id = self.model.ids[index.row()]
            if self._desk.current is None or self._desk.current.id != media_id:
                self._desk.show(media_id)

    @Slot()
    def _on_selection(self) -> None:
        if not self._is_listing:
            self._desk.set_selected(self.selected_ids())

    def selected_ids(self) -> list[int]:
        """The ids of the selected images in the order of the list."""
        ranges = self.view.selectionModel().selection()
        rows = sorted((part.top(), part.bottom()) for part in ranges.toList())
        return [media_id for top, bottom in rows for media_id in self.model.ids[top : bottom + 1]]

    # The list

    @Slot()
    def list_anew(self) -> None:
        """Filter and sort; what is selected stays so where it is still listed."""
        self._typing.stop()
        selected = set(self.selected_ids())
        self._is_listing = True
        wanted = replace(self.form.filter(self.search.text()), paths=self._desk.files)
        self.model.list_anew(wanted, self._sort)
        self._select([media_id for media_id in self.model.ids if media_id in selected] if selected else [])
        self._is_listing = False
        self._is_stale = False
        self._desk.set_order(self.model.ids)
        self._on_selection()
        self._follow_current()
        self._tell()
        self._scrolled.start()

    def _select(self, ids: list[int]) -> None:
        """Select these, in the order of the list: few ranges even of 100,000."""
        selection = QItemSelection()
        rows = [row for media_id in ids if (row := self.model.row_of(media_id)) is not None]
        start = 0
        for place in range(1, len(rows) + 1):
            if place == len(rows) or rows[place] != rows[place - 1] + 1:
                selection.select(self.model.index(rows[start]), self.model.index(rows[place - 1]))
                start = place
        self.view.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    @Slot()
    def _on_media(self) -> None:
        self.model.columns = Columns(self._desk.media, self._surveyor.survey, self._score)
        self._take_review()
        now = (self._desk.item(id_) for id_ in self._pictured if id_ in self.model.columns.places)
        if any(_look_of(item) != self._pictured[item.id] for item in now):
            self._thumbnails.forget()  # a file holds something else, or is back
            self._pictured.clear()
        self.list_anew()

    @Slot()
    def _on_project(self) -> None:
        self._thumbnails.forget()
        self._pictured.clear()
        if self._review is not None and self._sort is Sort.WORTH:
            self._waits_for_review = True
            self._review.read(queue=True)
        self._tell()

    @Slot()
    def _on_classes(self) -> None:
        self.form.set_classes(self._desk.editor.classes)

    @Slot()
    def _on_survey(self) -> None:
        self.model.columns.take(self._surveyor.survey, self._score)
        self._restale()
        self.model.touch_all()

    def _take_review(self) -> None:
        if self._review is not None:
            queue = [one.media_id for one in self._review.queue]
            mistakes = {one.media_id: one.weight for one in self._review.mistakes}
            self.model.columns.take_review(queue, mistakes)

    @Slot()
    def _on_review(self) -> None:
        self._take_review()
        if self._waits_for_review:
            self._waits_for_review = False
            self.list_anew()
        elif self._sort in _OF_REVIEW or self.form.standing.currentData() is Standing.DOUBTED:
            self._restale()

    @Slot()
    def _on_sight(self) -> None:
        if self._desk.editor.sight.score != self._score:
            self._score = self._desk.editor.sight.score
            self._on_survey()

    @Slot(int)
    def _on_item(self, media_id: int) -> None:
        self.model.touch([media_id])
        self._restale()

    def _restale(self) -> None:
        # By name and unfiltered nothing can be out of date.
        self._is_stale = self._sort is not Sort.NAME or not self.form.filter("").is_empty
        self._tell()

    @Slot()
    def _follow_current(self) -> None:
        current = self._desk.current
        row = None if current is None else self.model.row_of(current.id)
        if row is None or self.view.currentIndex().row() == row:
            return
        self._is_listing = True
        index = self.model.index(row)
        flags = QItemSelectionModel.SelectionFlag
        many = len(self.view.selectionModel().selectedRows()) > 1 if self.model.ids else False
        self.view.selectionModel().setCurrentIndex(index, flags.NoUpdate if many else flags.ClearAndSelect)
        self.view.scrollTo(index)
        self._is_listing = False
        self._on_selection()
        self.view.viewport().update()

    # What is seen

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._scrolled.start()
        return super().eventFilter(watched, event)

    @Slot()
    def _want_thumbnails(self) -> None:
        area = self.view.viewport().rect()
        first = self.view.indexAt(area.topLeft())
        if not first.isValid() or not self.view.isVisible() or self._desk.project is None:
            self._thumbnails.want(())
            return
        last = self.view.indexAt(area.bottomLeft())
        top, bottom = first.row(), last.row() if last.isValid() else len(self.model.ids) - 1
        seen = list(range(top, bottom + 1))
        around = [*range(bottom + 1, bottom + 1 + _AHEAD), *range(top - 1, top - 1 - _AHEAD, -1)]
        items = [self.model.item(row) for row in (*seen, *around) if 0 <= row < len(self.model.ids)]
        self._pictured.update((item.id, _look_of(item)) for item in items)
        self._thumbnails.want(
            Wanted(item.id, self._desk.path_of(item), item.frame, item.contrast)
            for item in items
            if not item.missing
        )

    @Slot()
    def _say(self, *_anything: object) -> None:
        self._tell()

    def _tell(self) -> None:
        total, listed = len(self._desk.media), len(self.model.ids)
        self.all_files.setVisible(bool(self._desk.files))
        self.again.setVisible(self._is_stale and total > 0)
        self.empty.say("" if listed else self._why_empty())
        if not total:
            self.summary.setText("")
            return
        done = sum(1 for one in self._desk.list.states.values() if one.review is ReviewState.REVIEWED)
        if listed == total:
            self.summary.setText(self.tr("{}, {:,} reviewed").format(counts.images(total), done))
        else:
            self.summary.setText(self.tr("{:,} of {}").format(listed, counts.images(total)))

    def _why_empty(self) -> str:
        if self._desk.is_opening:
            return self.tr("Looking through the folder …")
        if self._desk.project is None:
            return self.tr("Open a folder of pictures, or drop one here.")
        if not self._desk.media:
            return self.tr("There are no pictures in this folder.")
        return self.tr("No image fits the search and the filter.")


def _look_of(item: MediaItem) -> tuple[object, ...]:
    """What a thumbnail depends on."""
    return item.path, item.content_hash, item.missing, item.contrast
