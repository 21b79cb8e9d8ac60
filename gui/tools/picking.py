"""What lies under the pointer of an editor, with the boxes of all instances kept between two events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.document.records import Box, Instance
from gui import geometry
from gui.tools.tool import Pointer

if TYPE_CHECKING:
    from gui.editor import Editor


class Picker:
    """Hit tests on what an editor shows. An event costs a look at N boxes, not at N masks."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._instances: tuple[Instance, ...] = ()
        self._bounds: NDArray[np.float64] = np.empty((0, 4))

    def at(self, at: Pointer) -> tuple[int, ...]:
        """Ids of the visible instances under the pointer, the one to take first at the head."""
        instances, bounds = self._now()
        return geometry.instances_at(instances=instances, bounds=bounds, x=at.x, y=at.y, reach=at.reach / 2)

    def within(self, box: Box) -> tuple[int, ...]:
        """Ids of the visible instances that lie wholly inside a box."""
        instances, bounds = self._now()
        return geometry.instances_within(instances=instances, bounds=bounds, box=box)

    def _now(self) -> tuple[tuple[Instance, ...], NDArray[np.float64]]:
        instances = self._editor.visible
        if instances is not self._instances:
            self._instances, self._bounds = instances, geometry.bounds_of(instances=instances)
        return self._instances, self._bounds
