"""How the picture lies in the view: numbers in, numbers out. Knows no widget and no picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_SCALE, MOST_SCALE = 0.002, 128.0


@dataclass(frozen=True, slots=True)
class Camera:
    """view = image * scale + (x, y). scale: view pixels an image pixel; x, y: the image's corner in the view.

    View pixels are Qt's device-independent ones.
    """

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @classmethod
    def fitting(
        cls, width: float, height: float, *, view_width: float, view_height: float, margin: float = 16.0
    ) -> Camera:
        """The camera that shows an image of that size whole and in the middle."""
        across = max(view_width - 2 * margin, 1.0) / max(width, 1.0)
        down = max(view_height - 2 * margin, 1.0) / max(height, 1.0)
        scale = _limited(min(across, down))
        return cls(scale, (view_width - width * scale) / 2, (view_height - height * scale) / 2)

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """A point of the image in the view."""
        return x * self.scale + self.x, y * self.scale + self.y

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """A point of the view in the image."""
        return (x - self.x) / self.scale, (y - self.y) / self.scale

    def moved(self, dx: float, dy: float) -> Camera:
        """Moved by view pixels."""
        return Camera(self.scale, self.x + dx, self.y + dy)

    def zoomed(self, factor: float, *, at: tuple[float, float]) -> Camera:
        """Zoomed so that the image's point under `at` (view pixels) stays there."""
        return self.at_scale(self.scale * factor, at=at)

    def at_scale(self, scale: float, *, at: tuple[float, float]) -> Camera:
        """At that scale, the image's point under `at` (view pixels) staying there."""
        scale = _limited(scale)
        x, y = self.to_image(*at)
        return Camera(scale, at[0] - x * scale, at[1] - y * scale)


def _limited(scale: float) -> float:
    return min(max(scale, LEAST_SCALE), MOST_SCALE)


@dataclass(frozen=True, slots=True)
class Placement:
    """A camera on the screen's own pixels: device = image * scale + (x, y).

    x and y are whole, so that a moved picture is the same pixels elsewhere and can be scrolled.
    ratio: device pixels a view pixel.
    """

    scale: float
    x: int
    y: int
    ratio: float = 1.0

    @classmethod
    def of(cls, camera: Camera, ratio: float) -> Placement:
        """Where the camera puts the picture on a screen of that many device pixels a view pixel."""
        return cls(camera.scale * ratio, round(camera.x * ratio), round(camera.y * ratio), ratio)

    @property
    def camera(self) -> Camera:
        """The camera that lies exactly on these pixels."""
        return Camera(self.scale / self.ratio, self.x / self.ratio, self.y / self.ratio)

    def pixels_of(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        """Edges x0, y0, x1, y1 (exclusive) of the device pixels whose centres an image rectangle covers."""
        return (
            math.ceil(x * self.scale + self.x - 0.5),
            math.ceil(y * self.scale + self.y - 0.5),
            math.ceil((x + width) * self.scale + self.x - 0.5),
            math.ceil((y + height) * self.scale + self.y - 0.5),
        )

    def image_pixels(
        self, x0: int, y0: int, x1: int, y1: int, *, height: int, width: int
    ) -> tuple[int, int, int, int]:
        """Edges (exclusive) of the image's pixels under device pixels and one around, inside the image."""
        return (
            min(max(math.floor((x0 - self.x) / self.scale) - 1, 0), width),
            min(max(math.floor((y0 - self.y) / self.scale) - 1, 0), height),
            max(min(math.ceil((x1 - self.x) / self.scale) + 1, width), 0),
            max(min(math.ceil((y1 - self.y) / self.scale) + 1, height), 0),
        )
