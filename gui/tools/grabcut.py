"""GrabCut: what in a box has other colours than what lies around it. Needs no model."""

from __future__ import annotations

from gui.tools.box_prompt import BoxPromptTool
from gui.tools.prompting import Method
from gui.tools.tool import register


@register
class GrabCutTool(BoxPromptTool):
    """As the box that asks the model, but by colour alone."""

    id = "grabcut"
    title = "GrabCut in a box"
    shortcut = "U"
    hint = "Drag a box round an object: it is cut out by its colours; click to add, Shift-click to take away"
    icon = "grabcut"
    method = Method.CUT
