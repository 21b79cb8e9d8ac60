"""What is being edited: picture, document, selection, tool, camera. No widget, no project, no engine.

The canvas draws an Editor and hands it pointer events; panels show it; tools and commands change its
document inside `editor.edit(...)`. Whoever owns the project listens to `edited` and saves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from engine.document.document import Document, Edit, Transaction
from engine.document.records import ClassDef, Instance, MediaItem
from engine.errors import MaskwrightError
from engine.media.picture import Rgb
from gui.camera import Camera
from gui.canvas.labels import LabelMap
from gui.canvas.pyramid import Scaled
from gui.pictures import Coming
from gui.tools.prompting import Finder
from gui.tools.tool import TOOLS, Pointer, Shape, Tool


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """An image with its picture and its document: they are swapped in together or not at all.

    suppressed: for `Sight`. labels: where the visible masks lie, if whoever loaded the image worked it
    out; the canvas keeps it up to date. is_stale: its proposals were made of the picture as another contrast
    showed it.
    """

    item: MediaItem
    picture: Rgb | Coming
    document: Document
    suppressed: frozenset[int] = frozenset()
    labels: LabelMap | None = None
    is_stale: bool = False

    @property
    def pixels(self) -> Rgb:
        """The whole picture, waited for where it is still coming. Raises MediaError."""
        return self.picture.whole if isinstance(self.picture, Coming) else self.picture

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.picture.shape[0], self.picture.shape[1]


@dataclass(frozen=True, slots=True)
class Sight:
    """How picture and instances are seen. It changes no document.

    opacity: of masks, 0..1. brightness and contrast: -1..1, 0 as it is; gamma: 0.2..5, 1 as it is.
    score: proposals below it are hidden. suppressed: proposals hidden by overlap with better ones.
    """

    opacity: float = 0.45
    outline_only: bool = False
    hide_all: bool = False
    names: bool = False
    pixel_grid: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 1.0
    hidden_classes: frozenset[int] = frozenset()
    score: float = 0.5
    suppressed: frozenset[int] = frozenset()

    def shows(self, instance: Instance) -> bool:
        """Whether an instance is visible."""
        if self.hide_all or instance.class_id in self.hidden_classes:
            return False
        if not instance.provenance.is_proposal:
            return True
        return (instance.score is None or instance.score >= self.score) and instance.id not in self.suppressed


class Editor(QObject):
    """The headless state behind the window. Lives on the GUI thread."""

    image_changed = Signal()  # another image with its document is in, or none
    edited = Signal(object)  # Edit: the document changed
    refused = Signal(str)  # a sentence: why an edit was not made
    class_wanted = Signal()  # an instance was begun and there is no class for it
    selection_changed = Signal()
    hover_changed = Signal()
    tool_changed = Signal()
    preview_changed = Signal()  # the tool's preview is another
    camera_changed = Signal()
    lens_changed = Signal()
    sight_changed = Signal()
    classes_changed = Signal()  # the classes, or the one that new instances get
    brush_changed = Signal()
    marks_changed = Signal()  # what is drawn over the picture is another

    def __init__(self) -> None:
        super().__init__()
        self.shown: Shown | None = None
        self.is_read_only = False
        self.lens: Scaled | None = None  # what is seen in the picture's place; gone with the image
        self.hovered: int | None = None
        self.finder: Finder | None = None  # who answers prompts
        self.marks: tuple[Shape, ...] = ()  # drawn over the picture, and nothing of it
        self.level_for: Callable[[int, int], int] = lambda _height, _width: 0
        """The level of a picture of that size (see `Scaled`) that would be seen if it were shown now."""
        self._end_subscription: Callable[[], None] = lambda: None
        self._selection: tuple[int, ...] = ()
        self._camera = Camera()
        self._sight = Sight()
        self._classes: tuple[ClassDef, ...] = ()
        self._class_id: int | None = None
        self._brush_radius = 12.0
        self._seen: tuple[tuple[Instance, ...], Sight, tuple[Instance, ...]] = ((), self._sight, ())
        self._tools = {name: tool(self) for name, tool in TOOLS.items()}
        self._tool: Tool = self._tools.get("select") or Tool(self)

    # The image

    def show(self, shown: Shown | None) -> None:
        """Swap another image in; what was being made on the old one is dropped."""
        self._tool.cancel()
        self._end_subscription()
        self.shown, self.lens = shown, None
        self._selection, self.hovered = (), None
        self._sight = replace(self._sight, suppressed=shown.suppressed if shown else frozenset())
        if shown is not None:
            self._end_subscription = shown.document.subscribe(self._on_edit)
        else:
            self._end_subscription = lambda: None
        self.image_changed.emit()
        self.selection_changed.emit()

    @property
    def document(self) -> Document | None:
        """The document of the image that is shown."""
        return self.shown.document if self.shown else None

    @property
    def visible(self) -> tuple[Instance, ...]:
        """The instances seen, from the lowest to the topmost: the same tuple while nothing changed."""
        if self.shown is None:
            return ()
        instances = self.shown.document.instances
        if self._seen[0] is not instances or self._seen[1] is not self._sight:
            shown = tuple(one for one in instances if self._sight.shows(one))
            self._seen = (instances, self._sight, shown)
        return self._seen[2]

    # Edits

    def allows_edits(self) -> bool:
        """Whether there is an image that may be changed; where it may not, `refused` says why."""
        if self.shown is not None and self.is_read_only:
            self.refused.emit(self._read_only_sentence())
        return self.shown is not None and not self.is_read_only

    def _read_only_sentence(self) -> str:
        return self.tr("This project is open for reading only: nothing is changed.")

    @contextmanager
    def edit(self, name: str) -> Iterator[Transaction]:
        """One undoable step of the person's: `with editor.edit("Brush"): document.replace(...)`.

        Where it may not be made it is put back and `refused` says why.
        """
        if self.shown is None:
            raise RuntimeError(f"{name!r} was begun with no image shown")
        try:
            with self.shown.document.edit(name) as transaction:
                yield transaction
                if self.is_read_only:
                    raise MaskwrightError(self._read_only_sentence())
        except MaskwrightError as error:
            self.refused.emit(str(error))

    def _on_edit(self, edit: Edit) -> None:
        kept = tuple(id_ for id_ in self._selection if id_ not in edit.diff.removed)
        if self.hovered in edit.diff.removed:
            self.hovered = None
        # Before anybody hears of the edit: whoever does may ask for what is selected.
        was_selected, self._selection = self._selection != kept, kept
        self.edited.emit(edit)
        if was_selected:
            self.selection_changed.emit()

    # Selection and pointing

    @property
    def selection(self) -> tuple[int, ...]:
        """Ids of the selected instances, in the order they were selected."""
        return self._selection

    @property
    def selected(self) -> tuple[Instance, ...]:
        """The selected instances."""
        document = self.document
        return tuple(document.instance(id_) for id_ in self._selection) if document else ()

    def select(self, ids: Iterable[int]) -> None:
        """Select exactly these."""
        wanted = tuple(dict.fromkeys(ids))
        if wanted != self._selection:
            self._selection = wanted
            self.selection_changed.emit()
            self.preview_changed.emit()  # such as the handles of what is selected

    def hover(self, id_: int | None) -> None:
        """The instance under the pointer is this one, or none."""
        if id_ != self.hovered:
            self.hovered = id_
            self.hover_changed.emit()

    # Classes

    @property
    def classes(self) -> tuple[ClassDef, ...]:
        """The project's classes."""
        return self._classes

    @property
    def class_id(self) -> int | None:
        """The class that new instances get; None where there is no class yet."""
        return self._class_id

    def set_classes(self, classes: Sequence[ClassDef]) -> None:
        """Take the project's classes as they are now."""
        self._classes = tuple(classes)
        ids = [one.id for one in classes]
        if self._class_id not in ids:
            self._class_id = ids[0] if ids else None
        self.classes_changed.emit()

    def set_class(self, class_id: int) -> None:
        """New instances get this class from now on."""
        if class_id != self._class_id:
            self._class_id = class_id
            self.classes_changed.emit()

    def choose_class(self, class_id: int) -> bool:
        """`set_class`; whether the tool took it for what it is making."""
        self.set_class(class_id)
        taken = self._tool.choose_class(class_id)
        if taken:
            self.preview_changed.emit()
        return taken

    # Tools

    @property
    def tool(self) -> Tool:
        """The active tool."""
        return self._tool

    def set_tool(self, id_: str) -> None:
        """Make another tool active; what the old one was making is dropped."""
        self._tool.cancel()
        self._tool = self._tools[id_]
        self.tool_changed.emit()
        self.preview_changed.emit()

    @property
    def brush_radius(self) -> float:
        """Of brush and eraser, in image pixels."""
        return self._brush_radius

    def set_brush_radius(self, radius: float) -> None:
        """Set the radius of brush and eraser, in image pixels; at least half a pixel."""
        self._brush_radius = min(max(radius, 0.5), 2000.0)
        self.brush_changed.emit()
        self.preview_changed.emit()

    def pointer_down(self, at: Pointer) -> None:
        """The button went down on the canvas."""
        if self.shown is not None:
            self._tool.begin(at)
            self.preview_changed.emit()

    def pointer_move(self, at: Pointer) -> None:
        """The pointer moved with the button down."""
        if self.shown is not None:
            self._tool.move(at)
            self.preview_changed.emit()

    def pointer_up(self, at: Pointer) -> None:
        """The button went up."""
        if self.shown is not None:
            self._tool.end(at)
            self.preview_changed.emit()

    def pointer_hover(self, at: Pointer) -> None:
        """The pointer moved with no button down."""
        if self.shown is not None:
            self._tool.hover(at)
            self.preview_changed.emit()

    def pointer_left(self) -> None:
        """The pointer left the canvas."""
        self._tool.leave()
        self.hover(None)
        self.preview_changed.emit()

    def commit(self) -> None:
        """Finish what the tool is making."""
        self._tool.commit()
        self.preview_changed.emit()

    def back(self) -> None:
        """Take back the tool's last point."""
        self._tool.back()
        self.preview_changed.emit()

    def cycle(self, by: int) -> None:
        """Take another candidate for what the tool is making."""
        self._tool.cycle(by)
        self.preview_changed.emit()

    def delete(self) -> bool:
        """Delete what is picked inside the tool, such as vertices; whether there was anything."""
        deleted = self._tool.delete()
        self.preview_changed.emit()
        return deleted

    def cancel(self) -> None:
        """Drop what the tool is making; with nothing in the making, the selection."""
        if self._tool.is_busy:
            self._tool.cancel()
            self.preview_changed.emit()
        else:
            self.select(())

    # Seeing

    def set_marks(self, marks: tuple[Shape, ...]) -> None:
        """Have these drawn over the picture, such as what a model sees there."""
        if marks or self.marks:
            self.marks = marks
            self.marks_changed.emit()

    @property
    def camera(self) -> Camera:
        """How the picture lies in the view."""
        return self._camera

    def set_camera(self, camera: Camera) -> None:
        """Look from elsewhere."""
        if camera != self._camera:
            self._camera = camera
            self.camera_changed.emit()

    def look_through(self, lens: Scaled | None) -> None:
        """See the shown picture otherwise for a while, or as it is."""
        if self.shown is not None and lens is not self.lens:
            self.lens = lens
            self.lens_changed.emit()

    @property
    def sight(self) -> Sight:
        """How picture and instances are seen."""
        return self._sight

    def see(self, sight: Sight) -> None:
        """See in another way."""
        if sight != self._sight:
            self._sight = sight
            self.sight_changed.emit()
