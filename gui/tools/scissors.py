"""Smart scissors: a path whose stretches cling to the edges of what is in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.document.mask import Mask
from engine.media.picture import Rgb
from gui.tools.drawing import Use
from gui.tools.livewire import LiveWire
from gui.tools.polygon import PathTool
from gui.tools.tool import Pointer, Points, register

if TYPE_CHECKING:
    from gui.editor import Editor


@register
class ScissorsTool(PathTool):
    """Click along an outline: between the clicks the path finds the edge by itself."""

    id = "scissors"
    title = "Smart scissors"
    shortcut = "S"
    hint = (
        "Click along an edge, the path clings to it; close on the first point or with Enter; "
        "Shift cuts out of the selected instance, Ctrl adds to it"
    )
    icon = "scissors"
    freehand = False

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._wire: LiveWire | None = None
        self._wired: Rgb | None = None  # the picture the wire was made for
        self._wire_from: tuple[float, float, float] | None = None
        self._grain = 1.0

    def run_to(self, at: Pointer) -> Points:
        self._grain = at.reach / 4
        if not self._runs:
            return np.array([(at.x, at.y)])
        return self._path_to(at.x, at.y)

    def closing_run(self) -> Points:
        x, y = self._runs[0][0]
        return self._path_to(float(x), float(y))[:-1]

    def move(self, at: Pointer) -> None:
        self.hover(at)

    def cancel(self) -> None:
        super().cancel()
        self._wire = self._wired = None  # so that no picture is kept that is not shown

    def finish(self, mask: Mask, use: Use) -> None:
        self.use(mask, use, "Smart scissors")

    def _area_is_enclosed(self) -> bool:
        # A run of scissors is a curve: two clicks and the way back enclose something.
        return len(self._runs) >= 2

    def _path_to(self, x: float, y: float) -> Points:
        shown = self.editor.shown
        assert shown is not None
        if self._wire is None or self._wired is not shown.pixels:
            self._wire, self._wired, self._wire_from = LiveWire(shown.pixels), shown.pixels, None
        last = self._runs[-1][-1]
        start = (float(last[0]), float(last[1]), self._grain)
        if start != self._wire_from:
            self._wire.start(*start)
            self._wire_from = start
        return self._wire.path(x, y)
