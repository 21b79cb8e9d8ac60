"""Samples of every depth become 8 bits that can be seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from engine.document.contrast import Contrast, Way
from engine.media import tone
from engine.media.tone import cmyk_to_rgb, lab_to_rgb, limits, over_white, to_8_bit


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_that_a_camera_depth_in_16_bits_is_shown_by_its_own_range(depth: int) -> None:
    samples = np.linspace(0, 2**depth - 1, 10_000).astype(np.uint16).reshape(100, 100)
    shown = to_8_bit(samples, 16)
    assert shown.min() == 0
    assert shown.max() == 255
    assert np.abs(shown - np.linspace(0, 255, 10_000).reshape(100, 100)).max() <= 1


def test_that_full_range_16_bits_are_scaled_exactly() -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(to_8_bit(samples, 16), np.round(samples / 257).astype(np.uint8))


def test_that_a_few_hot_pixels_do_not_make_a_12_bit_picture_black() -> None:
    samples = np.full((200, 200), 3000, np.uint16)
    samples[0, :10] = 65535
    shown = to_8_bit(samples, 16)
    assert shown[100, 100] == round(3000 * 255 / 4095)
    assert shown[0, 0] == 255


def test_that_an_empty_16_bit_picture_is_black() -> None:
    assert not to_8_bit(np.zeros((4, 4), np.uint16), 16).any()


@pytest.mark.parametrize(("bits", "factor"), [(1, 255), (2, 85), (4, 17), (8, 1)])
def test_that_shallow_samples_use_the_whole_range(bits: int, factor: int) -> None:
    samples = np.arange(2**bits, dtype=np.uint8).reshape(1, -1)
    assert np.array_equal(to_8_bit(samples, bits), samples.astype(int) * factor)


def test_that_floating_point_is_stretched_between_its_finite_extremes() -> None:
    samples = np.array([[-2.0, 0.0, 2.0, np.nan, np.inf, -np.inf]], np.float32)
    assert to_8_bit(samples, 32).tolist() == [[0, 128, 255, 0, 255, 0]]


def test_that_the_widest_floats_do_not_overflow() -> None:
    most = np.finfo(np.float64).max
    assert to_8_bit(np.array([[-most, 0, most]]), 64).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("value", [0.0, -3.0, np.nan, np.inf])
def test_that_a_picture_of_one_value_is_black(value: float) -> None:
    assert not to_8_bit(np.full((3, 3), value, np.float32), 32).any()


def test_that_signed_and_wide_integers_are_stretched() -> None:
    assert to_8_bit(np.array([[-100, 100, 0]], np.int16), 16).tolist() == [
        [0, 255, pytest.approx(127.5, abs=0.5)]
    ]
    assert to_8_bit(np.array([[0, 2**31, 2**32 - 1]], np.uint32), 32).tolist() == [[0, 128, 255]]


@given(arrays.arrays(np.uint16, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_that_brighter_samples_are_never_shown_darker(samples: NDArray[np.uint16]) -> None:
    shown = to_8_bit(samples, 16).ravel()
    order = np.argsort(samples.ravel())
    assert (np.diff(shown[order].astype(int)) >= 0).all()


@given(st.integers(0, 255), st.integers(0, 255))
def test_that_transparency_is_laid_over_white(colour: int, alpha: int) -> None:
    pixel = np.full((1, 1, 3), colour, np.uint8)
    cover = np.full((1, 1), alpha, np.uint8)
    wanted = (colour * alpha + 255 * (255 - alpha)) / 255
    assert abs(int(over_white(pixel, cover)[0, 0, 0]) - wanted) <= 0.5
    ink = np.full((1, 1, 3), colour * alpha // 255, np.uint8)
    assert abs(int(over_white(ink, cover, premultiplied=True)[0, 0, 0]) - wanted) <= 1


def test_that_full_ink_is_dark_and_no_ink_white() -> None:
    shown = cmyk_to_rgb(
        Image.frombytes("CMYK", (3, 1), bytes([0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0])), None
    )
    assert shown.tolist() == [[[255, 255, 255], [0, 0, 0], [0, 255, 255]]]


def test_that_a_damaged_profile_is_no_reason_to_refuse() -> None:
    inks = Image.frombytes("CMYK", (1, 1), bytes([0, 0, 0, 0]))
    assert cmyk_to_rgb(inks, b"not a profile").tolist() == [[[255, 255, 255]]]


def test_that_lab_white_black_and_red_are_what_they_are() -> None:
    lightness, a, b = (np.array([v], np.float32) for v in ([100, 0, 53.24], [0, 0, 80.09], [0, 0, 67.2]))
    shown = lab_to_rgb(lightness, a, b)[0].astype(int)
    assert np.abs(shown - [[255, 255, 255], [0, 0, 0], [255, 0, 0]]).max() <= 2


WINDOW = Contrast(Way.WINDOW, 100, 1100)


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_that_a_window_maps_its_two_samples_to_black_and_white(kind: str) -> None:
    samples = np.array([[0, 100, 350, 600, 1100, 30_000]], kind)
    assert to_8_bit(samples, 8 * samples.dtype.itemsize, WINDOW).tolist() == [[0, 0, 64, 128, 255, 255]]


def test_that_a_signed_window_reaches_below_zero() -> None:
    samples = np.array([[-1000, -500, 0, 500, 32_767]], np.int16)
    shown = to_8_bit(samples, 16, Contrast(Way.WINDOW, -500, 500))
    assert shown.tolist() == [[0, 0, 128, 255, 255]]


def test_that_gamma_bends_between_black_and_white_and_leaves_them() -> None:
    samples = np.array([[100, 350, 1100]], np.uint16)
    dark, light = (to_8_bit(samples, 16, Contrast(Way.WINDOW, 100, 1100, gamma)) for gamma in (0.5, 2.0))
    assert dark.tolist() == [[0, round(255 * 0.25**2), 255]]
    assert light.tolist() == [[0, round(255 * 0.25**0.5), 255]]


@given(arrays.arrays(np.uint16, (9, 11)), st.floats(0, 49), st.floats(51, 100))
def test_that_percentiles_are_those_of_the_sorted_samples(
    samples: NDArray[np.uint16], low: float, high: float
) -> None:
    found = limits(samples, 16, Contrast(Way.PERCENTILE, low, high))
    ordered = np.sort(samples, axis=None)
    for value, share in zip(found, (low, high), strict=True):
        place = share / 100 * (len(ordered) - 1)
        assert value in (ordered[int(np.floor(place))], ordered[int(np.ceil(place))])


def test_that_percentiles_pass_over_what_is_no_number() -> None:
    samples = np.array([np.nan, np.inf, *range(101)], np.float32)
    assert limits(samples, 32, Contrast(Way.PERCENTILE, 10, 90)) == (10, 90)


@pytest.mark.parametrize(
    ("kind", "bits", "range_"),
    [("uint16", 12, (0, 4095)), ("uint16", 16, (0, 65_535)), ("int16", 16, (-32_768, 32_767))],
)
def test_that_the_full_range_is_that_of_the_type(kind: str, bits: int, range_: tuple[float, float]) -> None:
    assert limits(np.array([5, 9], kind), bits, Contrast(Way.FULL)) == range_
    assert limits(np.array([5, 9], np.float32), 32, Contrast(Way.FULL)) == (5, 9)


def test_that_a_few_bright_samples_are_seen_where_both_percentiles_are_one_value() -> None:
    samples = np.zeros((100, 100), np.uint16)
    samples[0, :5] = 9
    shown = to_8_bit(samples, 16, Contrast(Way.PERCENTILE, 0.1, 99.9))
    assert shown[0, :6].tolist() == [255] * 5 + [0]


def test_that_8_bits_are_left_alone_whatever_the_contrast() -> None:
    samples = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_8_bit(samples, 8, WINDOW), samples)


def test_that_a_picture_taken_in_strips_is_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (11, 7, 3), dtype=np.uint8)
    for strip in (1, 14, 21, 1000):
        monkeypatch.setattr(tone, "_STRIP", strip)
        assert np.array_equal(tone.pillow_to_rgb(Image.fromarray(pixels)), pixels)
