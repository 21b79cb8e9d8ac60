"""Turns samples of any depth and colour model into 8-bit RGB, the way a viewer shows them.

Knows arrays only, no files. Choices, each the same for every format:

* More than 8 bits: what becomes black and white is the affair of a `Contrast`. The automatic one: cameras
  put 10, 12 or 14 bits into 16, and such pictures must not look black. So samples are scaled by the smallest
  of the depths 8, 10, 12, 14, 16 that holds all but one sample in a thousand; the rest (hot pixels) turn
  white. Signed, 32-bit and floating-point samples have no known white: the least finite value becomes
  black and the greatest white.
* Not-a-number becomes black.
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

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.media.picture import Rgb, Samples

_DEPTHS = (8, 10, 12, 14)
_OUTLIERS = 0.001
_BLOCK = 1 << 20
_STRIP = 1 << 18
_AnySamples = TypeVar("_AnySamples", Samples, NDArray[np.uint8])


def to_8_bit(samples: Samples, bits: int, contrast: Contrast = AUTOMATIC) -> NDArray[np.uint8]:
    """Scale samples of any shape to uint8. ``bits`` is the depth the file states.

    Unsigned integers of up to 8 bits fill their range whatever the contrast.
    """
    if samples.dtype.kind == "u" and bits < 8:
        return samples.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
    if samples.dtype.kind == "u" and bits == 8:
        return samples.astype(np.uint8, copy=False)
    low, high = limits(samples, bits, contrast)
    return windowed(samples, low, high, contrast.gamma)


def limits(samples: Samples, bits: int, contrast: Contrast) -> tuple[float, float]:
    """The samples that become black and white; the first is greater where no sample is finite."""
    is_small = samples.dtype.kind == "u" and bits <= 16
    match contrast.way:
        case Way.WINDOW:
            return contrast.low, contrast.high
        case Way.PERCENTILE:
            return _percentiles(samples, contrast.low, contrast.high)
        case Way.FULL if samples.dtype.kind == "u":
            return 0.0, 2.0**bits - 1
        case Way.FULL if samples.dtype.kind == "i":
            return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
        case Way.AUTOMATIC if is_small:
            return 0.0, 2.0 ** _used_depth(samples, bits) - 1
    return extremes(samples)


def windowed(samples: Samples, low: float, high: float, gamma: float = 1.0) -> NDArray[np.uint8]:
    """Samples of any shape as uint8: ``low`` and below black, ``high`` and above white."""
    if samples.dtype.kind in "ui" and samples.dtype.itemsize <= 2:
        # A table of 65,536 entries is exact and cheaper than arithmetic on every sample.
        wide = np.dtype("u2" if samples.dtype.kind == "u" else "i2")
        table = _scaled(np.arange(2**16).astype(np.uint16).view(wide), low, high, gamma)
        return np.take(table, samples.astype(wide, copy=False).view(np.uint16))
    shown = np.zeros(samples.shape, np.uint8)
    for rows, into in zip(_row_blocks(samples), _row_blocks(shown), strict=True):
        into[...] = _scaled(rows, low, high, gamma)
    return shown


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
    return _in_strips(image if image.mode == "RGB" else image.convert("RGB"))


def _in_strips(image: Image.Image) -> Rgb:
    """The pixels of a picture of mode RGB. Asked for all at once, Pillow takes four times as long."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP // max(width, 1))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def _used_depth(samples: Samples, bits: int) -> int:
    allowed = int(samples.size * _OUTLIERS)
    for depth in _DEPTHS:
        if depth < bits and np.count_nonzero(samples >= 2**depth) <= allowed:
            return depth
    return bits


def extremes(samples: Samples) -> tuple[float, float]:
    """The least and the greatest finite sample; infinity and its negative where there is none."""
    low, high = math.inf, -math.inf
    for rows in _row_blocks(samples):
        finite = rows[np.isfinite(rows)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return low, high


def _percentiles(samples: Samples, low: float, high: float) -> tuple[float, float]:
    finite = samples[np.isfinite(samples)]
    if not finite.size:
        return math.inf, -math.inf
    # The nearest sample, not a value between two: those of integers stay what a person reads off.
    found = np.percentile(finite, (low, high), method="nearest")
    return float(found[0]), float(found[1])


def _scaled(samples: Samples, low: float, high: float, gamma: float) -> NDArray[np.uint8]:
    values = samples.astype(np.float64)
    if high <= low:  # one value, or none: nothing is brighter than it but what is above
        return np.where(values > high, np.uint8(255 if high == low else 0), np.uint8(0))
    # Halves, because high - low of the widest floats is infinite.
    share = (values / 2 - low / 2) * (255 / (high / 2 - low / 2))
    share = np.nan_to_num(share, nan=0, posinf=255, neginf=0).clip(0, 255)
    if gamma != 1.0:
        share = 255 * (share / 255) ** (1 / gamma)
    return (share + 0.5).astype(np.uint8)


def _row_blocks(samples: _AnySamples) -> Iterator[_AnySamples]:
    """Views of a few rows each, so that a large picture is not copied as a whole into wide numbers."""
    rows = max(1, _BLOCK * len(samples) // max(samples.size, 1))
    for start in range(0, len(samples), rows):
        yield samples[start : start + rows]
