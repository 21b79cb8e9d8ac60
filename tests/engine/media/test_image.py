"""Pictures of every common kind are read as a viewer shows them; what cannot be read is one sentence."""

import io
import os
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from engine.errors import MediaError
from engine.media.image import MAX_PIXELS, ImageInfo, frame_size, probe, read_reduced, read_rgb
from tests.engine.media import make

SCENE = make.scene()
LOSSLESS = {"a.png": "PNG", "a.bmp": "BMP", "a.tif": "TIFF", "a.webp": "WebP"}


def write(folder: Path, data: bytes, name: str = "a.jpg") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def refusal(path: Path, frame: int = 0, *, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(MediaError) as caught:
        read_rgb(path, frame, max_pixels=max_pixels)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path.name}: ")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", LOSSLESS)
def test_that_lossless_formats_give_the_very_pixels(tmp_path: Path, name: str) -> None:
    path = write(
        tmp_path,
        make.encoded(SCENE, LOSSLESS[name].upper(), **({"lossless": True} if "webp" in name else {})),
        name,
    )
    shown = read_rgb(path)
    assert shown.dtype == np.uint8
    assert shown.flags.c_contiguous
    assert np.array_equal(shown, SCENE)
    assert probe(path) == ImageInfo(64, 48, 1, LOSSLESS[name])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 100}])
def test_that_jpeg_equals_pillow(tmp_path: Path, options: dict[str, int]) -> None:
    path = write(tmp_path, make.encoded(SCENE, "JPEG", **options))
    assert np.array_equal(read_rgb(path), np.asarray(Image.open(path)))
    assert probe(path) == ImageInfo(64, 48, 1, "JPEG")


def means(pixels: NDArray[np.uint8], level: int) -> NDArray[np.float64]:
    """Of squares of 2**level pixels; the last ones may be parts of squares."""
    step = 1 << level
    height, width = pixels.shape[:2]
    filled = np.pad(pixels, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge").astype(float)
    rows, columns = -(-height // step), -(-width // step)
    found: NDArray[np.float64] = filled.reshape(rows, step, columns, step, 3).mean(axis=(1, 3))
    return found


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("kind", ["RGB", "L"])
def test_that_a_reduced_jpeg_is_the_picture_made_smaller(
    tmp_path: Path, orientation: int, level: int, kind: str
) -> None:
    smooth = cv2.resize(make.scene(), (400, 304), interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    exif[274] = orientation
    data = make.encoded(Image.fromarray(smooth).convert(kind), "JPEG", quality=95, exif=exif.tobytes())
    path = write(tmp_path, data)
    whole, found = read_rgb(path), read_reduced(path, level)
    assert found is not None
    reduced, size = found
    assert size == whole.shape[:2]
    assert reduced.shape == means(whole, level).shape
    assert np.abs(reduced - means(whole, level)).mean() < 3


def test_that_a_reduced_jpeg_begins_at_the_pictures_own_corner(tmp_path: Path) -> None:
    picture = Image.fromarray(cv2.resize(make.scene(), (403, 301)))
    found = read_reduced(write(tmp_path, make.encoded(picture, "JPEG")), 2)
    assert found is not None
    assert found[0].shape == (76, 101, 3)
    exif = Image.Exif()
    exif[274] = 3
    turned = write(tmp_path, make.encoded(picture, "JPEG", exif=exif.tobytes()))
    assert read_reduced(turned, 2) is None, "its first row would be of one row of the picture"


def test_that_what_is_no_faster_is_not_reduced(tmp_path: Path) -> None:
    picture = Image.fromarray(cv2.resize(make.scene(), (400, 304)))
    assert read_reduced(write(tmp_path, make.encoded(picture, "PNG"), "a.png"), 2) is None
    jpeg = write(tmp_path, make.encoded(picture, "JPEG"))
    assert read_reduced(jpeg, 0) is None
    assert read_reduced(write(tmp_path, make.encoded(picture.convert("CMYK"), "JPEG")), 2) is None


def test_that_half_a_jpeg_is_not_reduced_either(tmp_path: Path) -> None:
    data = make.encoded(Image.fromarray(cv2.resize(make.scene(), (400, 304))), "JPEG")
    with pytest.raises(MediaError, match="cut short"):
        read_reduced(write(tmp_path, data[: len(data) // 2]), 2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF"])
def test_that_grey_becomes_three_equal_channels(tmp_path: Path, kind: str) -> None:
    grey = Image.fromarray(SCENE).convert("L")
    path = write(tmp_path, make.encoded(grey, kind, **({"quality": 100} if kind == "JPEG" else {})))
    shown = read_rgb(path)
    assert shown.shape == (48, 64, 3)
    assert (shown == shown[..., :1]).all()
    assert np.abs(shown[..., 0].astype(int) - np.asarray(grey)).max() <= (2 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_that_palettes_become_their_colours(tmp_path: Path, kind: str) -> None:
    palette = Image.fromarray(SCENE).quantize(200)
    path = write(tmp_path, make.encoded(palette, kind))
    assert np.array_equal(read_rgb(path), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_that_clear_pixels_are_shown_white_and_half_clear_ones_between(tmp_path: Path, kind: str) -> None:
    pixels = np.dstack([SCENE, np.full(SCENE.shape[:2], 255, np.uint8)])
    pixels[5, 5] = (255, 0, 0, 0)
    pixels[6, 6] = (0, 0, 0, 128)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    shown = read_rgb(write(tmp_path, make.encoded(Image.fromarray(pixels), kind, **options)))
    assert shown[5, 5].tolist() == [255, 255, 255]
    assert shown[6, 6].tolist() == [127, 127, 127]
    assert np.array_equal(shown[20:], SCENE[20:])


def test_that_clear_palette_colours_and_key_colours_are_shown_white(tmp_path: Path) -> None:
    palette = Image.fromarray(SCENE).quantize(16)
    clear = int(np.asarray(palette)[0, 0])
    for kind in ("PNG", "GIF"):
        shown = read_rgb(write(tmp_path, make.encoded(palette, kind, transparency=clear)))
        assert (shown[np.asarray(palette) == clear] == 255).all()
    key = make.encoded(SCENE, "PNG", transparency=(250, 10, 30))
    assert read_rgb(write(tmp_path, key))[5, 10].tolist() == [255, 255, 255]


def test_that_cmyk_jpeg_is_read_as_adobe_writes_it(tmp_path: Path) -> None:
    solid = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    shown = read_rgb(write(tmp_path, make.encoded(solid, "JPEG", quality=100)))
    assert np.abs(shown.astype(int) - (0, 255, 255)).max() <= 3
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    assert read_rgb(write(tmp_path, make.encoded(paper, "JPEG", quality=100))).min() >= 252


def test_that_real_cmyk_pictures_equal_pillow(shared_data: Path) -> None:
    path = shared_data / "images" / "mixed" / "pil_sample_cmyk.jpg"
    if not path.is_file():
        pytest.skip("this CMYK sample is not among the pictures")
    assert np.array_equal(read_rgb(path), np.asarray(Image.open(path).convert("RGB")))


def test_that_a_profile_of_another_kind_does_not_spoil_a_cmyk_picture(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    solid = Image.new("CMYK", (16, 16), (0, 255, 0, 0))
    shown = read_rgb(write(tmp_path, make.encoded(solid, "JPEG", quality=100, icc_profile=srgb)))
    assert np.abs(shown.astype(int) - (255, 0, 255)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_that_every_orientation_is_applied_in_every_format_that_has_one(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    options: dict[str, object] = {"exif": b"Exif\0\0" + make.exif(orientation, "><"[orientation % 2])}
    if kind == "TIFF":
        options = {"tiffinfo": {274: orientation}}
    if kind == "WEBP":
        options["lossless"] = True
    path = write(tmp_path, make.encoded(SCENE, kind, **options))
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert wanted.shape == ((64, 48, 3) if orientation > 4 else (48, 64, 3))
    assert np.array_equal(read_rgb(path), wanted)
    info = probe(path)
    assert (info.height, info.width, 3) == wanted.shape
    assert frame_size(path) == (info.width, info.height)


def test_that_the_eight_orientations_of_real_photographs_show_one_scene(shared_data: Path) -> None:
    for shape in ("Landscape", "Portrait"):
        upright = read_rgb(shared_data / "images" / "exif" / f"{shape}_1.jpg")[::8, ::8].astype(int)
        for orientation in range(2, 9):
            turned = read_rgb(shared_data / "images" / "exif" / f"{shape}_{orientation}.jpg")[::8, ::8]
            assert turned.shape == upright.shape
            assert np.abs(turned - upright).mean() < 8


@pytest.mark.parametrize(
    "block", [b"", b"II", b"II*\0\xff\xff\xff\xff", make.exif(0), make.exif(9), make.exif(6)[:20]]
)
def test_that_damaged_exif_leaves_the_picture_as_it_is(tmp_path: Path, block: bytes) -> None:
    path = write(
        tmp_path,
        make.encoded(SCENE, "PNG", exif=b"Exif\0\0" + block) if block else make.encoded(SCENE, "PNG"),
    )
    assert np.array_equal(read_rgb(path), SCENE)


def png_16(samples: NDArray[np.uint16], colour: int, *extra: tuple[bytes, bytes]) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return make.png((samples.shape[1], samples.shape[0], 16, colour), rows, *extra)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_that_16_bit_png_is_scaled_and_not_cut(tmp_path: Path, colour: int, channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (9, 7, channels), dtype=np.uint16)
    if channels in (2, 4):
        samples[..., -1] = 65535
    shown = read_rgb(write(tmp_path, png_16(samples, colour)))
    colours = samples[..., :3] if channels > 2 else samples[..., :1]
    assert np.abs(shown - colours / 257).max() <= 0.5


def test_that_a_dim_16_bit_png_is_visible_in_its_true_colours(tmp_path: Path) -> None:
    samples = np.zeros((20, 20, 3), np.uint16)
    samples[...] = (4095, 2048, 0)
    assert read_rgb(write(tmp_path, png_16(samples, 2)))[3, 3].tolist() == [255, 128, 0]


def test_that_the_key_colour_of_16_bit_png_is_compared_in_16_bits(tmp_path: Path) -> None:
    samples = np.full((4, 4, 3), 20_000, np.uint16)
    samples[0, 0] = (50_000, 1, 2)
    samples[1, 1] = (50_000, 1, 3)
    shown = read_rgb(write(tmp_path, png_16(samples, 2, (b"tRNS", struct.pack(">3H", 50_000, 1, 2)))))
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[1, 1].tolist() == [195, 0, 0]


def test_that_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(SCENE).quantize(64), Image.new("P", (64, 48))]
    wanted = np.asarray(frames[0].convert("RGB"))
    for kind in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = make.encoded(
            frames[0].convert("RGB") if kind == "WEBP" else frames[0],
            kind,
            save_all=True,
            append_images=frames[1:],
            **options,
        )
        path = write(tmp_path, data)
        assert probe(path).frames == 1
        assert np.array_equal(read_rgb(path), wanted)
        assert "has one frame, number 0, and no frame 1" in refusal(path, 1)


def test_that_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    path = write(tmp_path, make.encoded(SCENE, "PNG"), "photo.jpg")
    assert probe(path).format == "PNG"
    assert np.array_equal(read_rgb(path), SCENE)


@pytest.mark.parametrize(
    "name", ["Zürich – 写真 🐟.png", "with space.png", "quote'\".png", "a" * 200 + ".png"]
)
def test_that_any_name_can_be_read(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and '"' in name:
        pytest.skip("not a name on Windows")
    assert np.array_equal(read_rgb(write(tmp_path, make.encoded(SCENE, "PNG"), name)), SCENE)


def test_that_a_very_long_path_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(6):
        folder = folder / ("long " * 18)[:-1]
        folder.mkdir()
    assert len(str(folder)) > 500
    assert np.array_equal(read_rgb(write(folder, make.encoded(SCENE, "PNG"))), SCENE)


def test_that_a_relative_path_and_a_string_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, make.encoded(SCENE, "PNG"), "a.png")
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(read_rgb(Path("a.png")), SCENE)


def test_that_reading_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"):
        data = make.encoded(SCENE, kind)
        path = write(tmp_path, data)
        os.utime(path, ns=(5, 5))
        path.chmod(0o444)
        probe(path)
        read_rgb(path)
        assert path.read_bytes() == data
        assert path.stat().st_mtime_ns == 5
        path.chmod(0o644)


def test_that_the_cap_on_pixels_refuses_before_decoding(tmp_path: Path) -> None:
    rows = b"\0" * 100
    path = write(tmp_path, make.png((30_000, 20_000, 8, 2), rows), "bomb.png")
    start = time.perf_counter()
    sentence = refusal(path)
    assert time.perf_counter() - start < 0.5
    assert "it has 30000 x 20000 pixels" in sentence
    assert "allow it with --max-megapixels 600" in sentence
    assert probe(path) == ImageInfo(30_000, 20_000, 1, "PNG")
    small = write(tmp_path, make.encoded(SCENE, "PNG"), "small.png")
    assert "64 x 48 pixels, more than the 3,071 allowed" in refusal(small, max_pixels=3071)
    assert read_rgb(small, max_pixels=3072).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("GIF", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0"),
        ("WebP", b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff" + bytes(8)),
        ("BMP", b"BM" + bytes(8) + struct.pack("<IIiiHHI", 54, 40, 60_000, 60_000, 1, 24, 0) + bytes(20)),
        ("JPEG", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3" + bytes(9) + b"\xff\xda\0\x08" + bytes(20)),
        ("TIFF", make.tiff(({256: (60_000,), 257: (60_000,), 258: (8,), 262: (1,)}, [b""]))),
    ],
)
def test_that_every_format_is_capped_by_its_header(tmp_path: Path, kind: str, data: bytes) -> None:
    path = write(tmp_path, data)
    assert probe(path).format == kind
    assert "allow it with --max-megapixels " in refusal(path)


def test_that_a_jpeg_of_thousands_of_scans_is_refused(tmp_path: Path) -> None:
    data = make.encoded(SCENE, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert "scans" in refusal(write(tmp_path, data[:-2] + data[last:-2] * 600 + data[-2:]))


def test_that_text_bombs_in_png_are_never_unpacked(tmp_path: Path) -> None:
    bomb = (b"zTXt", b"k\0\0" + zlib.compress(bytes(16 << 20)))
    data = make.png((2, 1, 8, 0), b"\0\1\2", bomb)
    assert read_rgb(write(tmp_path, data)).shape == (1, 2, 3)


def _files() -> dict[str, bytes]:
    image = Image.fromarray(make.scene(120, 160))
    return {
        "jpeg": make.encoded(image, "JPEG"),
        "progressive": make.encoded(image, "JPEG", progressive=True),
        "grey jpeg": make.encoded(image.convert("L"), "JPEG"),
        "cmyk jpeg": make.encoded(image.convert("CMYK"), "JPEG"),
        "png": make.encoded(image, "PNG"),
        "16-bit png": cv2.imencode(".png", np.asarray(image).astype(np.uint16) * 257)[1].tobytes(),
        "gif": make.encoded(image.quantize(64), "GIF"),
        "bmp": make.encoded(image, "BMP"),
        "webp": make.encoded(image, "WEBP"),
        "tiff": make.encoded(image, "TIFF"),
        "lzw": make.encoded(image, "TIFF", compression="tiff_lzw"),
        "deflate": make.encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "packbits": make.encoded(image, "TIFF", compression="packbits"),
        "jpeg in tiff": make.encoded(image, "TIFF", compression="jpeg"),
    }


@pytest.mark.parametrize("kind", _files())
def test_that_a_file_cut_short_is_refused_and_never_shown_in_half(tmp_path: Path, kind: str) -> None:
    data = _files()[kind]
    whole = read_rgb(write(tmp_path, data))
    for cut in [*range(1, len(data), max(1, len(data) // 40)), len(data) - 20, len(data) - 13]:
        path = write(tmp_path, data[:cut])
        if cut < len(data) - 16:
            refusal(path)
            continue
        try:  # what is missing may be no more than the end mark
            shown = read_rgb(path)
        except MediaError:
            continue
        assert np.array_equal(shown, whole)


def test_that_half_a_photograph_says_that_it_is_cut_short(tmp_path: Path) -> None:
    data = make.encoded(make.scene(120, 160), "JPEG")
    assert "the file is cut short" in refusal(write(tmp_path, data[: len(data) // 2]))


def test_that_wrong_checksums_are_refused(tmp_path: Path) -> None:
    data = bytearray(make.encoded(SCENE, "PNG"))
    data[data.index(b"IDAT") + 30] ^= 1
    assert "checksum of PNG chunk IDAT" in refusal(write(tmp_path, bytes(data)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (bytes(3000), "the file holds only zeros"),
        (b"%PDF-1.7 ...", "it is a PDF document"),
        (b"PK\x03\x04....", "it is a ZIP archive"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "it is an XML file"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "it is a HEIC picture"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "it is a video"),
        (b"hello", "its content is no JPEG, PNG"),
        (b"\xff\xd8\xff", "the file is cut short"),
        (b"\x89PNG\r\n\x1a\n", "does not begin with a PNG header"),
        (b"II*\0", "the file is cut short"),
        (b"GIF89a", "the file is cut short"),
        (b"RIFF\0\0\0\0WEBP", "the file is cut short"),
        (b"BM", "the file is"),
        (make.png((0, 5, 8, 2), b""), "0 x 5 pixels"),
        (make.png((5, 5, 8, 3), bytes(30)), "it has no palette"),
        (make.png((5, 5, 3, 2), bytes(30)), "no PNG has colour type 2 with 3 bits"),
    ],
)
def test_that_a_file_that_is_no_picture_says_what_it_is(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(write(tmp_path, data))


def test_that_what_is_not_a_file_is_one_sentence(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "gone.png")
    assert "there is no such file" in refusal(write(tmp_path, b"x", "file") / "below.png")
    (tmp_path / "folder.png").mkdir()
    assert "it is a folder" in refusal(tmp_path / "folder.png")
    assert "null character" in refusal(tmp_path / "a\0.png")


def test_that_a_pipe_does_not_make_the_reader_wait(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "a.png")
    assert "a pipe or a device" in refusal(tmp_path / "a.png")


def test_that_a_forbidden_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, make.encoded(SCENE, "PNG"))

    def refuse(*_args: object) -> io.BufferedReader:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "permission denied" in refusal(path)


def test_that_probing_a_large_photograph_takes_milliseconds(tmp_path: Path) -> None:
    picture = Image.fromarray(make.scene(1500, 2000))
    for kind in ("JPEG", "PNG", "TIFF", "BMP"):
        path = write(tmp_path, make.encoded(picture, kind))
        assert min(_seconds(path) for _ in range(5)) < 0.02, kind


def _seconds(path: Path) -> float:
    start = time.perf_counter()
    probe(path)
    return time.perf_counter() - start
