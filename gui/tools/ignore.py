"""The tool for ignore regions: polygons that take no part in training and evaluation."""

from __future__ import annotations

import numpy as np

from engine.document.boolean import subtract
from engine.document.mask import Mask
from engine.document.polygons import to_polygons
from engine.document.records import IgnoreRegion, new_id
from gui import geometry
from gui.tools.drawing import Use
from gui.tools.polygon import PathTool
from gui.tools.tool import Keys, Line, Look, Pointer, Shape, register, translated


@register
class IgnoreTool(PathTool):
    """A polygon becomes an ignore region; Shift cuts out of the regions, Alt-click removes one."""

    id = "ignore"
    title = "Ignore region"
    shortcut = "G"
    hint = (
        "Draw what training leaves out; Shift cuts out of the regions, "
        "Alt-click or Delete removes the one under the pointer"
    )
    icon = "ignore"

    def may_begin(self, use: Use, at: Pointer) -> bool:  # noqa: ARG002 - of every path tool
        return self.editor.allows_edits()

    @property
    def preview(self) -> tuple[Shape, ...]:
        region = None if self.is_busy else self._under_pointer()
        outline = () if region is None else to_polygons(region.mask)
        rings = [ring.astype(np.float64) for polygon in outline for ring in polygon.rings]
        return (*(Line(ring, closed=True, look=Look.ACTIVE) for ring in rings), *super().preview)

    def begin(self, at: Pointer) -> None:
        if Keys.ALT in at.keys and not self.is_busy:
            self._pointer = at
            self.delete()
        else:
            super().begin(at)

    def finish(self, mask: Mask, use: Use) -> None:
        document = self.editor.document
        if document is None:
            return
        if mask.is_empty:
            self.refuse("The shape holds no pixel of the image.")
        elif use is Use.CUT:
            with self.editor.edit(translated("Cut ignore regions")):
                for region in document.ignore_regions:
                    left = subtract(region.mask, mask)
                    if left.is_empty:
                        document.remove(region.id)
                    elif left != region.mask:
                        document.replace(IgnoreRegion(region.id, left))
        else:
            with self.editor.edit(translated("Ignore region")):
                document.add(IgnoreRegion(new_id(), mask))

    def delete(self) -> bool:
        document, region = self.editor.document, self._under_pointer()
        if self.is_busy or document is None or region is None:
            return False
        with self.editor.edit(translated("Remove ignore region")):
            document.remove(region.id)
        return True

    def _under_pointer(self) -> IgnoreRegion | None:
        """The smallest region under the pointer: a larger one around it can be reached beside it."""
        at, document = self._pointer, self.editor.document
        if at is None or document is None:
            return None
        hit = [
            region
            for region in document.ignore_regions
            if geometry.touches(mask=region.mask, x=at.x, y=at.y, reach=0.0)
        ]
        return min(hit, key=lambda region: region.mask.area, default=None)
