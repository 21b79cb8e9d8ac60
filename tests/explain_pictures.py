"""The pictures of docs/how-it-works.md, as the program itself draws them of a sample and the bundled model.

`python -m tests.explain_pictures` writes docs/pictures/explain_*.png. No display is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from engine.explanation import Explanation, Fate
from engine.media.image import read_rgb
from engine.models.store import default_store
from engine.models.version import load_network
from engine.predict.network import at_once
from engine.predict.predictor import Predictor
from gui.layers import Look, Part, Step, heat_of, layers_of
from gui.panels.explain import MaskTile
from gui.panels.explain_view import ExplainView

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "pictures"
SAMPLE = ROOT / "resources" / "samples" / "tray_900018.jpg"
WIDTH, HEIGHT = 480, 360
COLORS = 80
GAP = 6
MOST_BYTES = 600 * 1024

Rgb = NDArray[np.uint8]


def pictures(explanation: Explanation, picture: Rgb) -> dict[str, Rgb]:
    """Every picture by its name, H x W x 3."""
    best = int(explanation.second.detections[0])

    def draw(look: Look) -> Rgb:
        return drawn(explanation, picture, look)

    pyramid = [draw(Look(Step.FEATURES, level=number)) for number in (2, 3, 4, 5)]
    return {
        "features": np.vstack((beside(pyramid[:2]), row_gap(pyramid[0], 2), beside(pyramid[2:]))),
        "anchors": beside(
            [
                draw(Look(Step.PROPOSALS, part=Part.ANCHORS, least=0.95, levels=frozenset({4}))),
                draw(Look(Step.PROPOSALS, part=Part.KEPT, least=0.95)),
            ]
        ),
        "rois": beside([draw(Look(Step.ROIS, least=0.7)), draw(Look(Step.ROIS, least=0.7, chosen=best))]),
        "suppression": beside(
            [
                draw(Look(Step.SUPPRESSION, fates=frozenset({Fate.BEATEN}))),
                draw(Look(Step.SUPPRESSION, fates=frozenset({Fate.KEPT}))),
            ]
        ),
        "masks": beside([draw(Look(Step.MASKS)), tiles(explanation)]),
    }


def drawn(explanation: Explanation, picture: Rgb, look: Look) -> Rgb:
    """The picture as the Explain view shows it."""
    view = ExplainView()
    view.resize(WIDTH, HEIGHT)
    view.take_picture(picture, explanation.prediction.width, explanation.prediction.height)
    view.draw(layers_of(explanation, look), heat_of(explanation, look))
    return grabbed(view.grab().toImage())


def tiles(explanation: Explanation) -> Rgb:
    """The cells of the first twelve masks, four a row."""
    probs = explanation.prediction.mask_probs
    assert probs is not None
    side = HEIGHT // 3
    seen = []
    for cells in probs[:12]:
        tile = MaskTile()
        tile.take(cells)
        tile.resize(side, side)
        seen.append(grabbed(tile.grab().toImage()))
        tile.deleteLater()
    return np.vstack([np.hstack(seen[row : row + 4]) for row in range(0, 12, 4)])


def grabbed(image: QImage) -> Rgb:
    """Its pixels, H x W x 3."""
    plain = image.convertToFormat(QImage.Format.Format_RGBX8888)
    pixels = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return pixels[:, : 4 * plain.width()].reshape(plain.height(), plain.width(), 4)[..., :3].copy()


def beside(parts: Sequence[Rgb]) -> Rgb:
    """Pictures in a row, a white gap between."""
    gap = np.full((parts[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([one for part in parts for one in (gap, part)][1:])


def row_gap(part: Rgb, count: int) -> Rgb:
    """A white gap below `count` pictures in a row."""
    return np.full((GAP, count * part.shape[1] + (count - 1) * GAP, 3), 255, np.uint8)


def explained() -> tuple[Explanation, Rgb]:
    """The sample as the bundled model sees it, and the picture at the size that it sees."""
    version = default_store().resolve("starter")
    image = read_rgb(SAMPLE)
    explanation = at_once(Predictor(load_network(version), version.card).explain(image))
    height, width = explanation.resized
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return explanation, np.ascontiguousarray(small, np.uint8)


def main() -> int:
    """The exit code: 0 where all pictures were written and are small."""
    application = QApplication.instance() or QApplication(["explain-pictures"])
    total = 0
    for name, pixels in pictures(*explained()).items():
        path = OUT / f"explain_{name}.png"
        Image.fromarray(pixels).quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
        total += path.stat().st_size
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1024:.0f} KB")
    del application
    print(f"together {total / 1024:.0f} KB of {MOST_BYTES / 1024:.0f}")
    return 0 if total <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
