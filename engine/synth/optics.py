"""What a camera does to light: lens, exposure, sensor, processing, JPEG.

Knows pictures alone. In: linear RGB H x W x 3 float32; out: sRGB uint8 as a camera's file holds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.synth.geometry import Floats


@dataclass(frozen=True, slots=True)
class Lens:
    """One camera's faults. Blurs are in pixels of the final picture.

    `focus` is the distance that is sharp as a quantile of the picture's distances; `depth_blur` the
    blur at the far or near end; `motion` the length and direction (radians) of a shake.
    """

    focus: float
    depth_blur: float
    softness: float
    motion: tuple[float, float]
    vignette: float
    bloom: float
    gains: tuple[float, float, float]
    exposure: float
    contrast: float
    noise: float
    sharpen: float
    quality: int


def any_lens(rng: np.random.Generator) -> Lens:
    """A camera drawn at random: most are decent, some shake, some are out of focus or noisy."""
    shakes = rng.random() < 0.12
    return Lens(
        focus=rng.uniform(0.25, 0.75),
        depth_blur=rng.uniform(0.0, 1.0) if rng.random() < 0.75 else rng.uniform(0.8, 2.0),
        softness=rng.uniform(0.2, 0.6) if rng.random() < 0.85 else rng.uniform(0.6, 1.3),
        motion=(rng.uniform(1.5, 5.0) if shakes else 0.0, rng.uniform(0, math.pi)),
        vignette=rng.uniform(0.0, 0.38),
        bloom=rng.uniform(0.02, 0.09),
        gains=(rng.uniform(0.92, 1.10), 1.0, rng.uniform(0.90, 1.10)),
        exposure=rng.uniform(0.78, 1.28),
        contrast=rng.uniform(0.9, 1.15),
        noise=float(rng.uniform(0.15, 1.0) ** 2),
        sharpen=rng.uniform(0.0, 0.6),
        quality=int(rng.integers(72, 97)),
    )


def develop(rng: np.random.Generator, lens: Lens, rgb: Floats, distances: Floats) -> NDArray[np.uint8]:
    """The picture that the camera saves. `distances` is H x W in mm."""
    rgb = _blurred(lens, rgb, distances)
    glow = cv2.GaussianBlur(np.maximum(rgb - 1.0, 0), (0, 0), max(rgb.shape[1] / 90, 1.5))
    rgb = rgb + np.float32(lens.bloom * 4) * np.minimum(glow, 2)
    rgb = rgb * _falloff(rgb.shape[:2], lens.vignette)[..., None]
    rgb = rgb * np.array(lens.gains, dtype=np.float32)
    rgb = _exposed(rgb, lens)
    rgb = _with_noise(rng, rgb, lens.noise)
    tone = _toned(rgb, lens.contrast)
    if lens.sharpen > 0:
        tone = tone + np.float32(lens.sharpen) * (tone - cv2.GaussianBlur(tone, (0, 0), 1.0))
    picture = np.clip(tone * 255 + 0.5, 0, 255).astype(np.uint8)
    return _through_jpeg(picture, lens.quality)


def _blurred(lens: Lens, rgb: Floats, distances: Floats) -> Floats:
    """Softness everywhere, defocus away from the focal distance, then shake."""
    sharp = cv2.GaussianBlur(rgb, (0, 0), lens.softness) if lens.softness > 0.25 else rgb
    if lens.depth_blur > 0.3:
        low, focus, high = np.quantile(distances[::8, ::8], (0.02, lens.focus, 0.98))
        away = np.abs(distances - focus) / max(high - low, 30.0)
        amount = np.clip(away * np.float32(1.6), 0, 1)[..., None]
        soft = cv2.GaussianBlur(sharp, (0, 0), lens.depth_blur)
        sharp = sharp + (soft - sharp) * amount
    length, angle = lens.motion
    if length > 1:
        sharp = cv2.filter2D(sharp, -1, _streak(length, angle), borderType=cv2.BORDER_REFLECT)
    return np.asarray(sharp, dtype=np.float32)


def _streak(length: float, angle: float) -> Floats:
    """The kernel of a straight shake."""
    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), dtype=np.float32)
    for step in np.linspace(-0.5, 0.5, 4 * side):
        x = side / 2 + step * length * math.cos(angle)
        y = side / 2 + step * length * math.sin(angle)
        kernel[min(int(y), side - 1), min(int(x), side - 1)] += 1
    soft = cv2.GaussianBlur(kernel, (0, 0), 0.5)
    return np.asarray(soft / soft.sum(), dtype=np.float32)


def _falloff(shape: tuple[int, int], strength: float) -> Floats:
    """The darkening towards the corners, H x W."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return 1 - np.float32(strength * 0.5) * (x * x + y * y)


def _exposed(rgb: Floats, lens: Lens) -> Floats:
    """Scaled as a camera's meter would, between a plain average and the highlights."""
    luminance = rgb[::4, ::4] @ np.array([0.25, 0.65, 0.1], dtype=np.float32)
    average = float(np.exp(np.log(np.maximum(luminance, 1e-3)).mean()))
    bright = float(np.quantile(luminance, 0.97))
    gain = min(0.20 / average, 1.5 / max(bright, 1e-3)) * lens.exposure
    return np.asarray(rgb * np.float32(gain), dtype=np.float32)


def _with_noise(rng: np.random.Generator, rgb: Floats, strength: float) -> Floats:
    """Photon and read noise, its colour part smeared as demosaicing does."""
    shape = rgb.shape[:2]
    shared = rng.standard_normal(shape, dtype=np.float32)[..., None]
    colour = cv2.GaussianBlur(rng.standard_normal((*shape, 3), dtype=np.float32), (0, 0), 0.8)
    photons = np.sqrt(np.maximum(rgb, 0) * np.float32(0.0011) + np.float32(0.00002))
    noise = photons * (np.float32(0.7) * shared + np.float32(0.9) * colour) * np.float32(strength * 2)
    return np.asarray(rgb + noise, dtype=np.float32)


def _toned(rgb: Floats, contrast: float) -> Floats:
    """A film-like curve with a soft shoulder, then sRGB's gamma; 0 to 1 (Narkowicz's fit of ACES)."""
    x = np.maximum(rgb, 0) * np.float32(0.85)
    film = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    tone = np.power(np.clip(film, 0, 1), np.float32(1 / 2.2))
    return np.asarray((tone - 0.5) * np.float32(contrast) + np.float32(0.5), dtype=np.float32)


def _through_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Saved as JPEG and read back."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, dtype=np.uint8)[..., ::-1])
