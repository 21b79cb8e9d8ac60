"""What is seen through a lens is what the engine would make of the samples, at every scale."""

from __future__ import annotations

import numpy as np
import pytest

from engine.document.contrast import Contrast, Way
from engine.media.tone import to_8_bit
from gui.canvas.lens import Lens, scales_of
from tests.gui.canvas.conftest import Open


@pytest.mark.parametrize("kind", ["uint16", "int16", "int32", "float32", "float64", "float16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_that_a_lens_shows_what_models_get(kind: str, channels: int) -> None:
    samples = np.random.default_rng(1).integers(0, 2000, (131, 257, channels)).astype(kind)
    lens = Lens(scales_of(samples), 200, 1500, 0.8)
    bits = 8 * samples.dtype.itemsize
    wanted = to_8_bit(samples, bits, Contrast(Way.WINDOW, 200, 1500, 0.8))
    shown = lens.region(0, 3, 5, 250, 130)
    assert np.array_equal(shown[..., 2::-1], wanted[5:130, 3:250].repeat(3 // channels, axis=2))
    assert (shown[..., 3] == 255).all()
    assert lens.depth == 2
    assert lens.size_at(1) == (66, 129)
    assert lens.region(1, 0, 0, 129, 66).shape == (66, 129, 4)
    flat = Lens(scales_of(np.full_like(samples, 850)), 200, 1500, 1.0)
    assert set(flat.region(1, 0, 0, 129, 66)[..., :3].ravel()) == {128}


def test_that_the_canvas_shows_the_lens_in_place_of_the_picture_until_another_is_shown(
    open_canvas: Open,
) -> None:
    grey = np.full((200, 300, 3), 100, np.uint8)
    canvas = open_canvas(pixels=grey)
    before = canvas.at(50, 50)
    canvas.editor.look_through(Lens(scales_of(np.full((200, 300, 1), 700, np.uint16)), 0, 1000, 1.0))
    assert canvas.at(50, 50) == [179] * 3
    canvas.editor.look_through(None)
    assert canvas.at(50, 50) == before
    canvas.editor.look_through(Lens(scales_of(np.full((200, 300, 1), 700, np.uint16)), 0, 1000, 1.0))
    canvas.test.show(pixels=np.full((200, 300, 3), 20, np.uint8))
    assert canvas.editor.lens is None
    assert canvas.at(50, 50) == [20] * 3
