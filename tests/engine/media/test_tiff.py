"""Every page of every kind of TIFF is read right."""

import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from engine.errors import MediaError
from engine.media.image import frame_size, probe, read_rgb
from engine.media.tiff_segments import lzw_length
from tests.engine.media import make

SCENE = make.scene(50, 70)
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, LAB, ICC_LAB = 0, 1, 2, 3, 5, 8, 9

REAL = (
    "copyleft.tiff",
    "hopper_lzma.tif",
    "hopper_jpg.tif",
    "pil168.tif",
    "rdf.tif",
    "tiff_strip_cmyk_jpeg.tif",
    "tiff_tiled_cmyk_jpeg.tif",
    "tiff_strip_ycbcr_jpeg_2x2_sampling.tif",
    "tiff_tiled_ycbcr_jpeg_2x2_sampling.tif",
    "tiff_tiled_planar_16bit_RGB.tiff",
    "tiff_strip_planar_16bit_RGB.tiff",
    "g4_orientation_6.tif",
    "hopper_gray_4bpp.tif",
    "multipage_out_of_order.tiff",
    "child_ifd.tiff",
    "tiff_wrong_bits_per_sample_2.tiff",
)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.tif"
    path.write_bytes(data)
    return path


def read(folder: Path, *pages: make.Page, order: str = "<", big: bool = False) -> NDArray[np.uint8]:
    return read_rgb(write(folder, make.tiff(*pages, order=order, big=big)))


def refusal(folder: Path, *pages: make.Page) -> str:
    with pytest.raises(MediaError) as caught:
        read(folder, *pages)
    assert str(caught.value).startswith("a.tif: ")
    return str(caught.value)


def grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture[..., 1:2]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_that_both_byte_orders_and_both_sizes_of_offsets_are_read(
    tmp_path: Path, order: str, big: bool
) -> None:
    samples = SCENE.astype(np.uint16) * 257
    page = make.page(samples, photometric=RGB, order=order)
    assert np.array_equal(read(tmp_path, page, order=order, big=big), SCENE)


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "lzma"]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK", "RGBA", "I;16"])
def test_that_every_lossless_compression_and_mode_equals_what_was_written(
    tmp_path: Path, compression: str | None, mode: str
) -> None:
    scene = Image.fromarray(SCENE)
    if mode == "I;16":
        image = Image.fromarray(SCENE[..., 1].astype(np.uint16) * 257)
    else:
        image = scene.quantize(50) if mode == "P" else scene.convert(mode)
    path = write(
        tmp_path, make.encoded(image, "TIFF", **({"compression": compression} if compression else {}))
    )
    wanted = grey(SCENE).repeat(3, axis=2) if mode == "I;16" else np.asarray(image.convert("RGB"))
    assert np.array_equal(read_rgb(path), wanted)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_that_fax_pages_are_read(tmp_path: Path, compression: str) -> None:
    image = Image.fromarray(SCENE).convert("1")
    shown = read_rgb(write(tmp_path, make.encoded(image, "TIFF", compression=compression)))
    assert np.array_equal(shown, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGB", "L", "YCbCr"])
def test_that_jpeg_pages_equal_pillow(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path, make.encoded(Image.fromarray(SCENE).convert(mode), "TIFF", compression="jpeg"))
    wanted = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(read_rgb(path) - wanted).max() <= 1


def test_that_real_tiffs_of_all_kinds_equal_pillow(shared_data: Path) -> None:
    folder = shared_data / "images" / "mixed"
    for path in (folder / name for name in REAL):
        with Image.open(path) as image:
            wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
        assert np.abs(read_rgb(path) - wanted).max() <= 1, path.name


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i2", "i4", "u4", "u8"])
def test_that_samples_without_a_known_white_are_stretched(tmp_path: Path, kind: str) -> None:
    ramp = np.linspace(-100 if kind[0] != "u" else 0, 100, 256).reshape(16, 16, 1).astype(kind)
    shown = read(tmp_path, make.page(ramp, photometric=BLACK_IS_ZERO))
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[-1, -1].tolist() == [255, 255, 255]
    assert (np.diff(shown[..., 0].ravel().astype(int)) >= 0).all()


def test_that_a_dim_microscopy_picture_is_not_black(tmp_path: Path) -> None:
    samples = np.linspace(100, 4000, 2500).reshape(50, 50, 1).astype(np.uint16)
    shown = read(tmp_path, make.page(samples, photometric=BLACK_IS_ZERO))
    assert shown.max() >= 245
    assert shown.mean() > 100


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
def test_that_packed_samples_are_unpacked(tmp_path: Path, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (7, 13))
    values[0, :2] = (0, 2**bits - 1)
    rows = b"".join(
        np.packbits([int(bit) for value in row for bit in f"{value:0{bits}b}"]).tobytes() for row in values
    )
    tags: dict[int, tuple[int, ...] | bytes] = {
        256: (13,),
        257: (7,),
        258: (bits,),
        262: (BLACK_IS_ZERO,),
        278: (7,),
    }
    shown = read(tmp_path, (tags, [rows]))
    assert np.abs(shown[..., 0] - values * 255 / (2**bits - 1)).max() <= 0.5
    inverted = read(tmp_path, ({**tags, 262: (WHITE_IS_ZERO,)}, [rows]))
    assert np.array_equal(inverted, 255 - shown)
    reversed_bits = bytes(int(f"{byte:08b}"[::-1], 2) for byte in rows)
    assert np.array_equal(read(tmp_path, ({**tags, 266: (2,)}, [reversed_bits])), shown)


@pytest.mark.parametrize("compression", [1, 8, 34925])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_that_tiles_strips_and_planes_come_together(
    tmp_path: Path, compression: int, planar: bool, tiled: bool, kind: str
) -> None:
    samples = SCENE.astype(kind) * (257 if kind == "u2" else 1)
    (tags, _) = make.page(samples, photometric=RGB, t259=(compression,), t284=(2 if planar else 1,))
    planes = [samples[..., c : c + 1] for c in range(3)] if planar else [samples]
    segments = []
    for plane in planes:
        if tiled:
            padded = np.pad(plane, ((0, 14), (0, 26), (0, 0)), mode="edge")
            segments += [padded[y : y + 32, x : x + 48].tobytes() for y in (0, 32) for x in (0, 48)]
        else:
            segments += [plane[y : y + 20].tobytes() for y in (0, 20, 40)]
    tags.update({322: (48,), 323: (32,)} if tiled else {278: (20,)})
    packers: dict[int, Callable[[bytes], bytes]] = {1: bytes, 8: zlib.compress, 34925: lzma.compress}
    pack = packers[compression]
    assert np.array_equal(read(tmp_path, (tags, [pack(s) for s in segments])), SCENE)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
@pytest.mark.parametrize("order", "<>")
def test_that_horizontal_prediction_is_undone(tmp_path: Path, kind: str, order: str) -> None:
    samples = SCENE.astype(kind) * np.array({"u1": 1, "u2": 257, "u4": 1 << 24}[kind], kind)
    plain = read(tmp_path, make.page(samples, photometric=RGB, order=order), order=order)
    differences = np.diff(samples, axis=1, prepend=np.zeros_like(samples[:, :1]))
    tags, (data,) = make.page(differences, photometric=RGB, order=order, t317=(2,), t259=(8,))
    assert np.array_equal(read(tmp_path, (tags, [zlib.compress(data)]), order=order), plain)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_that_floating_point_prediction_is_undone(tmp_path: Path, kind: str) -> None:
    samples = np.random.default_rng(0).normal(0, 10, (9, 11, 1)).astype(kind)
    plain = read(tmp_path, make.page(samples, photometric=BLACK_IS_ZERO))
    size = samples.dtype.itemsize
    rows = []
    for row in samples[..., 0].astype(f">f{size}"):
        planes = np.frombuffer(row.tobytes(), np.uint8).reshape(-1, size).T.ravel()
        rows.append(np.diff(planes, prepend=np.uint8(0)).tobytes())
    tags, _ = make.page(samples, photometric=BLACK_IS_ZERO, t317=(3,), t259=(8,))
    assert np.array_equal(read(tmp_path, (tags, [zlib.compress(b"".join(rows))])), plain)


def test_that_opencv_float_and_16_bit_colour_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), SCENE[..., ::-1].astype(np.float32))
    low, high = int(SCENE.min()), int(SCENE.max())
    assert np.abs(read_rgb(path) - (SCENE - low) * (255 / (high - low))).max() <= 0.51
    cv2.imwrite(str(path), SCENE[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(read_rgb(path), SCENE)


def test_that_every_page_is_a_frame_of_its_own_size(tmp_path: Path) -> None:
    pages = [make.page(np.full((4 + n, 6, 1), 40 * n, np.uint8), photometric=BLACK_IS_ZERO) for n in range(5)]
    path = write(tmp_path, make.tiff(*pages))
    for n in range(5):
        assert probe(path, n).frames == 5
        assert frame_size(path, n) == (6, 4 + n)
        assert read_rgb(path, n).tolist() == np.full((4 + n, 6, 3), 40 * n).tolist()
    with pytest.raises(
        MediaError, match=r"a\.tif: it has 5 frames \(pages\), counted from 0, and no frame 5"
    ):
        read_rgb(path, 5)
    with pytest.raises(MediaError, match="no frame -1"):
        read_rgb(path, -1)


def test_that_pages_linked_in_a_circle_end(tmp_path: Path) -> None:
    data = bytearray(make.tiff(make.page(grey(SCENE), photometric=BLACK_IS_ZERO)))
    data[-4:] = data[4:8]
    assert probe(write(tmp_path, bytes(data))).frames == 1


def test_that_microscope_channels_are_shown_as_colours(tmp_path: Path) -> None:
    five = np.dstack([SCENE, SCENE[..., :2]])
    assert np.array_equal(
        read(tmp_path, make.page(five, photometric=BLACK_IS_ZERO, t338=(0, 0, 0, 0))), SCENE
    )
    two = SCENE[..., :2]
    assert np.array_equal(
        read(tmp_path, make.page(two, photometric=BLACK_IS_ZERO, t338=(0,))), SCENE[..., :1].repeat(3, axis=2)
    )


def test_that_near_infrared_is_not_taken_for_transparency(tmp_path: Path) -> None:
    four = np.dstack([SCENE, np.zeros(SCENE.shape[:2], np.uint8)])
    assert np.array_equal(read(tmp_path, make.page(four, photometric=RGB, t338=(0,))), SCENE)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_that_both_kinds_of_alpha_are_laid_over_white(tmp_path: Path, kind: str) -> None:
    full = 255 if kind == "u1" else 65535
    pixel = np.array([[[full, full // 2, 0, full // 2]]], kind)
    plain = read(tmp_path, make.page(pixel, photometric=RGB, t338=(2,)))[0, 0]
    assert np.abs(plain.astype(int) - (255, 191, 128)).max() <= 1
    pixel[..., :3] //= 2
    multiplied = read(tmp_path, make.page(pixel.repeat(40, axis=0), photometric=RGB, t338=(1,)))[0, 0]
    assert np.abs(multiplied.astype(int) - (255, 191, 128)).max() <= 2


def test_that_both_forms_of_lab_are_shown_in_their_colours(tmp_path: Path) -> None:
    signed = np.array([[[255, 0, 0], [0, 0, 0], [136, 80, 67], [224, 256 - 86, 83]]]).astype(np.uint8)
    wanted = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0]]])
    shown = read(tmp_path, make.page(signed, photometric=LAB))
    assert np.abs(shown.astype(int) - wanted).max() <= 8
    shifted = signed + np.array([0, 128, 128], np.uint8)
    assert np.array_equal(read(tmp_path, make.page(shifted, photometric=ICC_LAB)), shown)


def test_that_8_bit_colour_maps_of_careless_writers_are_understood(tmp_path: Path) -> None:
    indices = np.array([[[0], [1]]], np.uint8)
    colours = np.zeros((3, 256), int)
    colours[:, 1] = (200, 100, 50)
    for scale in (1, 256):
        tags, data = make.page(indices, photometric=PALETTE, t320=tuple((colours * scale).ravel().tolist()))
        assert read(tmp_path, (tags, data)).tolist() == [[[0, 0, 0], [200, 100, 50]]]


def test_that_segments_a_sparse_file_leaves_out_are_black(tmp_path: Path) -> None:
    tags, (data,) = make.page(grey(SCENE), photometric=BLACK_IS_ZERO, t278=(25,))
    path = write(tmp_path, make.tiff((tags, [data[: 25 * 70], b""])))
    content = bytearray(path.read_bytes())
    place = content.index((8 + 25 * 70).to_bytes(4, "little"))
    content[place : place + 4] = bytes(4)
    path.write_bytes(content)
    shown = read_rgb(path)
    assert np.array_equal(shown[:25, :, 0], SCENE[:25, :, 1])
    assert not shown[25:].any()


@pytest.mark.parametrize("compression", [1, 5, 7, 8, 32773, 34925])
def test_that_a_strip_that_ends_early_is_refused(tmp_path: Path, compression: int) -> None:
    black = np.zeros((50, 70), np.uint8)
    black[:10] = SCENE[:10, :, 0]
    name = {1: None, 5: "tiff_lzw", 7: "jpeg", 8: "tiff_adobe_deflate", 32773: "packbits", 34925: "lzma"}[
        compression
    ]
    whole = write(tmp_path, make.encoded(black, "TIFF", **({"compression": name} if name else {})))
    with TiffImageFile(whole) as image:
        tag = dict(image.tag_v2)
    start, size = tag[273][0], tag[279][0]
    strip = whole.read_bytes()[start : start + size]
    tags: dict[int, tuple[int, ...] | bytes] = {
        256: (70,), 257: (50,), 258: (8,), 259: (compression,), 262: (1,), 278: (50,)
    }  # fmt: skip
    if 347 in tag:
        tags[347] = tag[347]
    assert np.abs(read(tmp_path, (tags, [strip]))[..., 0].astype(int) - black).max() <= (
        40 if name == "jpeg" else 0
    )
    for cut in (size // 4, size // 2):
        sentence = refusal(tmp_path, (tags, [strip[:cut]]))
        assert "cut short" in sentence or "damaged" in sentence


def test_that_the_length_of_lzw_data_is_known_without_decoding_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 300), dtype=np.uint8)
    for picture in (
        noise,
        noise // 64,
        np.zeros_like(noise),
        np.arange(36000, dtype=np.uint8).reshape(120, 300),
    ):
        path = write(tmp_path, make.encoded(picture, "TIFF", compression="tiff_lzw"))
        with TiffImageFile(path) as image:
            start, size = image.tag_v2[273][0], image.tag_v2[279][0]
        data = path.read_bytes()[start : start + size]
        assert lzw_length(data) == 36000
        assert lzw_length(data[: size // 2]) < 36000
    assert lzw_length(b"") == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({259: (50000,)}, "compression Zstandard is not supported"),
        ({259: (4711,)}, "compression 4711 is not supported"),
        ({258: (24,)}, "samples of 24 bits"),
        ({262: (32844,)}, "colour model 32844"),
        ({277: (60,)}, "60 channels of 8 bits"),
        ({278: (10,)}, "cut short"),
        ({322: (1 << 30,), 323: (16,)}, "impossible size"),
        ({259: (8,)}, "cannot be decompressed"),
        ({317: (9,)}, "predictor 9"),
        ({262: (3,), 320: (1, 2)}, "its colour map"),
        ({257: (60,), 278: (60,)}, "cut short"),
    ],
)
def test_that_what_cannot_be_shown_says_why(
    tmp_path: Path, changes: dict[int, tuple[int, ...] | bytes], words: str
) -> None:
    tags, data = make.page(grey(SCENE), photometric=BLACK_IS_ZERO)
    assert words in refusal(tmp_path, ({**tags, **changes}, data))


def test_that_strips_that_name_the_same_bytes_over_and_over_do_not_fill_memory(tmp_path: Path) -> None:
    tags, (data,) = make.page(grey(SCENE), photometric=BLACK_IS_ZERO, t259=(4,), t278=(1,))
    content = make.tiff((tags, [data] + [b""] * 49))

    def numbers(*values: int) -> bytes:
        return b"".join(value.to_bytes(4, "little") for value in values)

    size = len(data)
    content = content.replace(numbers(size, *[0] * 49), numbers(*[size] * 50))
    content = content.replace(numbers(8, *[8 + size] * 49), numbers(*[8] * 50))
    with pytest.raises(MediaError, match="cut short"):
        read_rgb(write(tmp_path, content))
