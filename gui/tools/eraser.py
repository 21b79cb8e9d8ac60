"""The eraser: a brush that takes away."""

from __future__ import annotations

from gui.tools.brush import StrokeTool
from gui.tools.tool import register


@register
class EraserTool(StrokeTool):
    """Erases from the selected instance or, with none selected, the one under the pointer."""

    id = "eraser"
    title = "Eraser"
    shortcut = "E"
    hint = "Erase from the selected instance, or the one under the pointer; erased whole it is removed"
    icon = "eraser"
    erases = True
