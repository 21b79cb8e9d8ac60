"""Everything about masks in one place to import from; each group of functions has a file of its own."""

from __future__ import annotations

from engine.document.mask import EMPTY, Bitmap, Mask
from engine.document.rle import CocoRle, from_rle, pack, to_rle, to_rle_counts, unpack

__all__ = ["EMPTY", "Bitmap", "CocoRle", "Mask", "from_rle", "pack", "to_rle", "to_rle_counts", "unpack"]
