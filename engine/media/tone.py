"""Turns samples of any depth and colour model into 8-bit RGB, the way a viewer shows them.

Knows arrays only, no files. Choices, each the same for every format:

* More than 8 bits: cameras put 10, 12 or 14 bits into 16, and such pictures must not look black. The
  samples are scaled by the smallest of the depths 8, 10, 12, 14, 16 that holds all but one sample in a
  thousand; the rest (hot pixels) turn white. A picture that uses all 16 bits is scaled by its full range.
* Signed, 32-bit and floating-point samples have no known white: the least finite value becomes black
  and the greatest white. Not-a-number becomes black.
* Transparent pixels are laid over white, as on a page.
* An ICC profile is used for CMYK, where it decides what the inks mean; RGB and grey are taken as sRGB.
"""

import io
import math
from collections.abc import Iterator
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from engine.media.picture import Rgb, Samples

_DEPTHS = (8, 10, 12, 14)
_OUTLIERS = 0.001
_BLOCK = 1 << 20
_AnySamples = TypeVar("_AnySamples", Samples, NDArray[np.uint8])


def to_8_bit(samples: Samples, bits: int) -> NDArray[np.uint8]:
    """Scale samples of any shape to uint8. ``bits`` is the depth the file states for unsigned integers."""
    if samples.dtype.kind != "u" or bits > 16:
        return _stretch(samples)
    if bits < 8:
        return samples.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
    if bits == 8:
        return samples.astype(np.uint8, copy=False)
    depth = _used_depth(samples, bits)
    # A table of 65,536 entries is exact and cheaper than arithmetic on every sample.
    values = np.arange(2**16, dtype=np.float64) * (255 / (2**depth - 1))
    table: NDArray[np.uint8] = np.minimum(values + 0.5, 255).astype(np.uint8)
    return np.take(table, samples.astype(np.uint16, copy=False))


def over_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool = False) -> Rgb:
    """Lay ``colour`` (H x W x 3) with ``alpha`` (H x W, 255 is opaque) over white."""
    cover = alpha[..., None].astype(np.uint16)
    ink = colour.astype(np.uint16) * (255 if premultiplied else cover)
    shown: NDArray[np.uint8] = np.minimum((ink + 255 * (255 - cover) + 127) // 255, 255).astype(np.uint8)
    return shown


def grey_to_rgb(grey: NDArray[np.uint8]) -> Rgb:
    """H x W to H x W x 3."""
    return np.repeat(grey[..., None], 3, axis=2)


def cmyk_to_rgb(inks: Image.Image, profile: bytes | None) -> Rgb:
    """A Pillow picture of mode CMYK (255 is full ink) to RGB, by its ICC profile where it has a sound one."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            shown = ImageCms.profileToProfile(inks, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if shown is not None:
                return np.asarray(shown)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged profile is no reason to refuse the picture
    return np.asarray(inks.convert("RGB"))


def lab_to_rgb(lightness: NDArray[np.float32], a: NDArray[np.float32], b: NDArray[np.float32]) -> Rgb:
    """CIE L*a*b* (L* 0-100; a*, b* about -128 to 127), each H x W, to sRGB with white kept white."""
    colour = cv2.cvtColor(np.stack([lightness, a, b], axis=2), cv2.COLOR_LAB2RGB)
    return (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8)


def pillow_to_rgb(image: Image.Image) -> Rgb:
    """A loaded 8-bit (or shallower) Pillow picture of any mode but CMYK to RGB, clear parts white."""
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return over_white(pixels[..., :3], pixels[..., 3])
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _used_depth(samples: Samples, bits: int) -> int:
    allowed = int(samples.size * _OUTLIERS)
    for depth in _DEPTHS:
        if depth < bits and np.count_nonzero(samples >= 2**depth) <= allowed:
            return depth
    return bits


def _stretch(samples: Samples) -> NDArray[np.uint8]:
    low, high = math.inf, -math.inf
    for rows in _row_blocks(samples):
        finite = rows[np.isfinite(rows)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    shown = np.zeros(samples.shape, np.uint8)
    if high > low:
        for rows, into in zip(_row_blocks(samples), _row_blocks(shown), strict=True):
            # Halves, because high - low of the widest floats is infinite.
            scaled = (rows.astype(np.float64) / 2 - low / 2) * (255 / (high / 2 - low / 2))
            into[...] = np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255).round()
    return shown


def _row_blocks(samples: _AnySamples) -> Iterator[_AnySamples]:
    """Views of a few rows each, so that a large picture is not copied as a whole into wide numbers."""
    rows = max(1, _BLOCK * len(samples) // max(samples.size, 1))
    for start in range(0, len(samples), rows):
        yield samples[start : start + rows]
