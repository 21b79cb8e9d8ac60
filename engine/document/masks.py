"""Everything about masks in one place to import from; each group of functions has a file of its own."""

from __future__ import annotations

from engine.document.boolean import intersect, iou, subtract, symmetric_difference, union
from engine.document.mask import EMPTY, Bitmap, Mask
from engine.document.packing import pack, unpack, unpack_all
from engine.document.paint import MaskCanvas, erase_disc, erase_stroke, paint_disc, paint_stroke
from engine.document.polygons import Polygon, from_polygons, simplify, to_polygons
from engine.document.regions import fill_holes, parts, smooth
from engine.document.rle import CocoRle, from_rle, to_rle, to_rle_counts

__all__ = [
    "EMPTY",
    "Bitmap",
    "CocoRle",
    "Mask",
    "MaskCanvas",
    "Polygon",
    "erase_disc",
    "erase_stroke",
    "fill_holes",
    "from_polygons",
    "from_rle",
    "intersect",
    "iou",
    "pack",
    "paint_disc",
    "paint_stroke",
    "parts",
    "simplify",
    "smooth",
    "subtract",
    "symmetric_difference",
    "to_polygons",
    "to_rle",
    "to_rle_counts",
    "union",
    "unpack",
    "unpack_all",
]
