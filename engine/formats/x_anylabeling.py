"""X-AnyLabeling's JSON: labelme's with scores, difficult objects, attributes and rotated boxes.

No file of its own making was at hand: the keys are those of its published label format
(https://github.com/CVHub520/X-AnyLabeling). It knows no masks but polygons.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.document.records import Instance
from engine.formats.beside import some_heads
from engine.formats.labelme import Labelme, is_shapes, is_x_anylabeling
from engine.formats.registry import Holds, register
from engine.formats.source import Source


@register
class XAnyLabeling(Labelme):
    """One JSON file for each picture, in the same folder."""

    name = "x-anylabeling"
    title = "X-AnyLabeling"
    holds = Labelme.holds | Holds.SCORES
    has_polygons = False
    version = "2.5.0"
    holds_masks_as_pngs = False

    def sniff(self, source: Source) -> bool:
        """JSON with shapes that have what labelme does not write."""
        return any(is_shapes(head) and is_x_anylabeling(head) for head in some_heads(source))

    def corners(self, x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
        """All four, clockwise from the first."""
        return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]

    def shape(
        self,
        one: Instance,
        label: str,
        kind: str,
        points: list[list[float]],
        group: object,
        extra: Mapping[str, object],
        mask: str | None,
    ) -> dict[str, object]:
        """One shape with its keys in X-AnyLabeling's order."""
        del mask
        rest = dict(extra)
        return {
            "label": label,
            "score": None if one.score is None else round(one.score, 6),
            "points": points,
            "group_id": group,
            "description": rest.pop("description", ""),
            "difficult": rest.pop("difficult", False),
            "shape_type": "rotation" if kind == "oriented_rectangle" else kind,
            "flags": rest.pop("flags", {}),
            "attributes": rest.pop("attributes", {}),
            "kie_linking": rest.pop("kie_linking", []),
            **rest,
        }
