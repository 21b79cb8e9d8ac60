"""Frame n is the n-th frame of a full decode, however it is reached; broken videos get one sentence."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engine.errors import MediaError
from engine.media import video
from engine.media.image import probe, read_rgb
from engine.media.scan import is_video_name, scan_folder
from engine.media.video import VideoReader, close_readers, reader_of, to_rgb
from engine.media.video_index import opened, pixel_aspect, read_index
from tests.engine.media.films import frame_picture, number_of, write_film

SEEKS = 60
QUICK = ("av1_video.mkv", "h264_10bits.mp4", "h265_video.mp4", "nasa_13013.mp4", "realshort.mp4", "bikes.mp4")
LONG = ("bottle-detection.mp4", "one-by-one-person-detection.mp4", "test-sample4.mp4")


def digest(picture: np.ndarray) -> bytes:
    return hashlib.blake2b(picture.tobytes(), digest_size=16).digest()


def wrong_frames(path: Path, seeks: int = SEEKS) -> list[int]:
    """The frames that a random seek gives otherwise than a full decode does."""
    with opened(path) as (container, stream):
        truth = [digest(to_rgb(frame, pixel_aspect(stream))) for frame in container.decode(stream)]
    reader = VideoReader(path, kept_bytes=0)
    assert reader.index.count == len(truth)
    chance = random.Random(path.name)
    asked = [chance.randrange(len(truth)) for _ in range(seeks)]
    wrong = [frame for frame in asked if digest(reader.read(frame)) != truth[frame]]
    reader.close()
    return wrong


@pytest.mark.parametrize("name", QUICK)
def test_that_a_seek_gives_the_frame_of_a_full_decode(shared_data: Path, name: str) -> None:
    assert wrong_frames(shared_data / "videos" / name) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_that_a_seek_in_a_long_video_gives_the_frame_of_a_full_decode(shared_data: Path, name: str) -> None:
    assert wrong_frames(shared_data / "videos" / name) == []


def test_that_every_shared_video_is_in_one_of_the_two_proofs(shared_data: Path) -> None:
    names = {path.name for path in (shared_data / "videos").iterdir() if is_video_name(path.name)}
    assert names == {*QUICK, *LONG}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind that is hard to seek in, 90 numbered frames."""
    folder = tmp_path_factory.mktemp("films")
    uneven = list(itertools.accumulate(20 + 7 * (n * n % 11) for n in range(90)))
    groups = {"g": "12", "bf": "2"}
    return {
        "variable": write_film(folder / "variable.mp4", 90, times=uneven, options=groups),
        "matroska": write_film(folder / "variable.mkv", 90, times=uneven, options=groups),
        "transport": write_film(folder / "stream.ts", 90, options=groups),
        "open": write_film(
            folder / "open.ts", 90, options={"x264-params": "keyint=12:open-gop=1:bframes=3:scenecut=0"}
        ),
        "mpeg2": write_film(folder / "mpeg2.mpg", 90, codec="mpeg2video", options=groups),
        "counted": write_film(folder / "counted.avi", 90, codec="mpeg4", options=groups),
    }


@pytest.mark.parametrize(
    ("name", "codec", "aspect", "size"),
    [
        ("pal.mpg", "mpeg2video", Fraction(4, 3), (85, 48)),
        ("wide.mp4", "libx264", Fraction(2), (128, 48)),
        ("tall.mkv", "libx264", Fraction(3, 4), (64, 64)),
    ],
)
def test_that_pixels_that_are_not_square_become_square_ones(
    tmp_path: Path, name: str, codec: str, aspect: Fraction, size: tuple[int, int]
) -> None:
    path = write_film(tmp_path / name, 12, codec=codec, aspect=aspect)
    info = probe(path)
    assert (info.width, info.height) == size
    shown = read_rgb(path, 7)
    assert shown.shape[1::-1] == size
    assert number_of(shown) == 7
    assert wrong_frames(path, 6) == []


KINDS = ("variable", "matroska", "transport", "open", "mpeg2", "counted")


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_container_that_is_hard_to_seek_in_gives_the_right_frames(
    films: dict[str, Path], kind: str
) -> None:
    path = films[kind]
    assert wrong_frames(path) == []
    # What was written, too: the reference is not our own reading of it.
    assert [number_of(read_rgb(path, n)) for n in (0, 1, 37, 88, 89, 12)] == [0, 1, 37, 88, 89, 12]


def test_that_a_stream_cut_out_of_a_longer_one_counts_the_frames_that_come(
    films: dict[str, Path], tmp_path: Path
) -> None:
    data = films["open"].read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(data[188 * (len(data) // 188 // 3) :])
    with opened(cut) as (container, stream):
        count = sum(1 for _ in container.decode(stream))
    assert 0 < count < 90
    assert read_index(cut).count == count
    assert wrong_frames(cut) == []


def test_that_times_of_a_variable_rate_are_kept(films: dict[str, Path]) -> None:
    index = read_index(films["variable"])
    uneven = list(itertools.accumulate(20 + 7 * (n * n % 11) for n in range(90)))
    told = [index.seconds(n) for n in range(90)]
    assert told == pytest.approx([(t - uneven[0]) / 1000 for t in uneven], abs=1e-3)
    assert [index.at(seconds) for seconds in told] == list(range(90))
    assert index.at(-1.0) == 0
    assert index.at(1e6) == 89


def test_that_walking_backwards_decodes_a_group_once(
    films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = VideoReader(films["variable"])
    begun = 0
    walk = reader._seek

    def counting(key: int) -> None:
        nonlocal begun
        begun += 1
        walk(key)

    monkeypatch.setattr(reader, "_seek", counting)
    assert [number_of(reader.read(n)) for n in range(47, 35, -1)] == list(range(47, 35, -1))
    assert begun == 1


def test_that_kept_frames_are_bounded_by_their_bytes(films: dict[str, Path]) -> None:
    reader = VideoReader(films["variable"], kept_bytes=10 * 64 * 48 * 3 // 2)
    for n in range(60):
        reader.read(n)
    assert 1 < len(reader._kept) <= 10
    assert sum(sum(p.buffer_size for p in f.planes) for f in reader._kept.values()) == reader._held


def test_that_many_threads_get_their_own_frames(films: dict[str, Path]) -> None:
    asked = [random.Random(7).randrange(90) for _ in range(60)]
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda n: number_of(read_rgb(films["transport"], n)), asked))
    assert numbers == asked


def test_that_decoding_leaves_the_interpreter_to_others(films: dict[str, Path]) -> None:
    reader = VideoReader(films["mpeg2"], kept_bytes=0)
    done = threading.Event()

    def decode() -> None:
        for n in range(0, 90, 7):
            reader.read(n)
        done.set()

    thread = threading.Thread(target=decode)
    thread.start()
    turns = 0
    while not done.is_set():
        turns += 1
        done.wait(0.0005)
    thread.join()
    assert turns > 2


def test_that_a_frame_belongs_to_whoever_asked(films: dict[str, Path]) -> None:
    first = read_rgb(films["variable"], 3)
    first[...] = 0
    assert number_of(read_rgb(films["variable"], 3)) == 3


def test_that_a_phone_held_upright_is_shown_upright(tmp_path: Path) -> None:
    turned = tmp_path / "turned.mov"
    plain = write_film(tmp_path / "plain.mov", 3)
    data = bytearray(plain.read_bytes())
    # The track header's matrix, rotated by a quarter: a = d = 0, b = 1, c = -1 (ISO 14496-12, 8.3.2).
    at = data.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 8
    matrix = [0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    turned.write_bytes(data)
    info = probe(turned)
    assert (info.width, info.height) == (48, 64)
    # A quarter turn clockwise of what is stored, as every player shows it.
    assert np.array_equal(read_rgb(turned, 2), np.rot90(read_rgb(plain, 2), -1))


def test_that_colours_come_out_as_they_went_in(tmp_path: Path) -> None:
    path = write_film(tmp_path / "colours.mp4", 2, options={"crf": "1"})
    assert np.abs(read_rgb(path, 1).astype(int) - frame_picture(1)).mean() < 8


def test_that_a_number_beyond_the_end_is_told(films: dict[str, Path]) -> None:
    for ask in (read_rgb, probe):
        with pytest.raises(MediaError, match=r"variable\.mp4: it has 90 frames.* no frame 90"):
            ask(films["variable"], 90)
    with pytest.raises(MediaError, match="more than the 100 allowed"):
        read_rgb(films["variable"], 0, max_pixels=100)


def test_that_a_video_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = write_film(tmp_path / "one.mp4", 5)
    assert probe(path).frames == 5
    write_film(path, 8)
    assert probe(path).frames == 8
    close_readers()
    assert number_of(read_rgb(path, 7)) == 7


BROKEN = {
    "empty": b"",
    "text": b"not a video at all, whatever the name says " * 20,
    "zeros": bytes(5000),
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("kind", [*BROKEN, "headless", "sound"])
def test_that_a_broken_video_gets_one_sentence(films: dict[str, Path], tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.mp4"
    if kind == "headless":  # the index of an interrupted recording is never written
        data = films["variable"].read_bytes()
        path.write_bytes(data[: data.index(b"moov")])
    elif kind == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    else:
        path.write_bytes(BROKEN[kind])
    with pytest.raises(MediaError) as told:
        probe(path)
    sentence = str(told.value)
    assert sentence.startswith(f"{kind}.mp4: ")
    assert "\n" not in sentence
    assert "Errno" not in sentence


def test_that_a_video_cut_short_gives_the_frames_it_has(films: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "short.ts"
    data = films["transport"].read_bytes()
    path.write_bytes(data[: len(data) // 2])
    index = read_index(path)
    assert 10 < index.count < 90
    assert number_of(read_rgb(path, index.count - 3)) == index.count - 3


def test_that_videos_are_found_and_program_text_is_not(films: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "stream.ts").write_bytes(films["transport"].read_bytes())
    (tmp_path / "code.ts").write_text("export const G = 1;\n" * 30)
    (tmp_path / "clip.MKV").write_bytes(b"anything")
    (tmp_path / "._clip.mp4").write_bytes(b"anything")
    assert [file.path for file in scan_folder(tmp_path)] == ["clip.MKV", "stream.ts"]


def test_that_only_the_video_in_use_keeps_many_frames(
    films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "_KEPT_ASIDE", 3 * 64 * 48 * 3 // 2)
    close_readers()
    for path in (films["variable"], films["matroska"], films["variable"]):
        for frame in range(12):
            read_rgb(path, frame)
    in_use, aside = reader_of(films["variable"]), reader_of(films["matroska"])
    assert len(aside._kept) <= 3
    assert len(in_use._kept) <= 3, "asking for the other put it aside"
    assert [number_of(read_rgb(films["variable"], n)) for n in (11, 0, 5)] == [11, 0, 5]
    close_readers()
