"""The tools: one file each, registered by name. No widgets here.

They are registered in the order they have in the toolbar. None imports `gui.editor`, which imports
this package.
"""

from __future__ import annotations

# isort: off
from gui.tools import select as select
from gui.tools import box_prompt as box_prompt
from gui.tools import click_prompt as click_prompt
from gui.tools import polygon as polygon
from gui.tools import box as box
from gui.tools import brush as brush
from gui.tools import eraser as eraser
from gui.tools import scissors as scissors
from gui.tools import wand as wand
from gui.tools import grabcut as grabcut
from gui.tools import vertices as vertices
from gui.tools import ignore as ignore
# isort: on
