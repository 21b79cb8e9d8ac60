"""How the picture lies in the view: numbers in, numbers out. Knows no widget and no picture."""

from __future__ import annotations

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
