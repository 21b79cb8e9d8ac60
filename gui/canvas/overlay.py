"""All visible instances as one raster: an Editor's state in, label map and colour table kept up to date.

Every method that changes something returns the rectangles of the image to draw anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.document.document import Document
from engine.document.paint import Rectangle
from engine.document.records import Instance, Provenance
from gui.canvas.colors import UNKNOWN, ColorTable, Kind, Light, Rgb8
from gui.canvas.labels import BEING_PAINTED, LabelMap, layers_of
from gui.editor import Sight
from gui.tools.tool import Painted

_MANY = 256  # instances; from here on the whole image is one rectangle


class Overlay:
    """The raster of one image. labels: of its size, made ready by whoever loaded it or empty."""

    def __init__(self, labels: LabelMap) -> None:
        self.labels = labels
        self.colors = ColorTable()
        self.has_ignored = False
        self._styles: dict[int, tuple[Rgb8, Kind]] = {}
        self._lit: dict[int, Light] = {}

    def show(
        self, document: Document, instances: Iterable[Instance], sight: Sight, classes: Mapping[int, Rgb8]
    ) -> list[Rectangle]:
        """Take the instances that are visible now, from the lowest to the topmost."""
        visible = () if sight.hide_all else tuple(instances)
        ignored = () if sight.hide_all else document.ignore_regions
        styles = {region.id: (UNKNOWN, Kind.IGNORED) for region in ignored}
        self.has_ignored = bool(ignored)
        made: dict[tuple[int, Provenance], tuple[Rgb8, Kind]] = {}  # few styles for thousands of instances
        for one in visible:
            if one.mask is not None:
                look = (one.class_id, one.provenance)
                if look not in made:
                    kind = Kind.PROPOSAL if one.provenance.is_proposal else Kind.SOLID
                    made[look] = (classes.get(one.class_id, UNKNOWN), kind)
                styles[one.id] = made[look]
        changed = self.labels.update([] if sight.hide_all else layers_of(document, visible))
        before = self._styles
        restyled = [id_ for id_, style in styles.items() if before.get(id_) != style]
        # A label may have gone from one instance to another, so that all are styled.
        self.colors.style(self.labels.labels_of(styles), styles.values())
        self._styles = styles
        changed += self._boxes_of(restyled)
        self._light()
        return changed

    def see(self, sight: Sight) -> None:
        """Take another opacity or outline_only."""
        self.colors.see(sight)

    def light(self, lit: Mapping[int, Light]) -> list[Rectangle]:
        """Let these stand out, and no others."""
        changed = [id_ for id_ in {*lit, *self._lit} if lit.get(id_) != self._lit.get(id_)]
        self._lit = dict(lit)
        if changed:
            self._light()
        return self._boxes_of(changed)

    def paint(self, painted: Painted, rgb: Rgb8) -> list[Rectangle]:
        """Show a mask while it is painted."""
        changed = self.labels.paint(painted.instance_id, painted.canvas, painted.changed)
        label = self.labels.label_of(BEING_PAINTED)
        if label:
            self.colors.style([label], [(rgb, Kind.SOLID)])
            self._light()
        return changed

    def end_painting(self) -> list[Rectangle]:
        """Show the masks of the document again."""
        return self.labels.end_painting()

    def _boxes_of(self, ids: Sequence[int]) -> list[Rectangle]:
        if len(ids) > _MANY:
            height, width = self.labels.labels.shape
            return [(0, 0, width, height)]
        return [self.labels.box_of(id_) for id_ in ids]

    def _light(self) -> None:
        lit = {self.labels.label_of(id_): light for id_, light in self._lit.items()}
        lit[self.labels.label_of(BEING_PAINTED)] = Light.MARKED
        lit.pop(0, None)
        self.colors.light(lit)
