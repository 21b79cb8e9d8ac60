"""Decodes pictures in threads, ahead of whoever consumes them.

Knows order, threads and a bound on memory; `engine.media.image` does the decoding.
"""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from engine.document.contrast import Contrast
from engine.errors import MediaError
from engine.media.image import MAX_PIXELS, frame_size, read_rgb
from engine.media.picture import Rgb

#: Decoded pictures that wait may take this much together; one larger than that waits alone.
MAX_BYTES = 1 << 30


def decode_ahead(
    pictures: Iterable[tuple[Path, int, Contrast]],
    *,
    workers: int,
    depth: int,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Generator[tuple[int, Rgb | MediaError], None, None]:
    """Decode ``(path, frame, contrast)`` and yield ``(index, H x W x 3 uint8 or the error)`` in their order.

    At most ``depth`` pictures, and no more than ``max_bytes`` of pixels by their headers, are decoded or
    being decoded and not yet taken. ``pictures`` is read as it is needed, in the caller's thread. Closing
    the iterator ends the threads and frees what waits; so does an error in the caller's loop.
    """
    waiting: deque[tuple[int, int, Future[Rgb | MediaError]]] = deque()
    held = 0
    coming = enumerate(pictures)
    following = next(coming, None)
    threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        while following or waiting:
            while following and len(waiting) < depth:
                index, (path, frame, contrast) = following
                size = _decoded_bytes(path, frame, max_pixels)
                if waiting and held + size > max_bytes:
                    break
                waiting.append((index, size, threads.submit(_decode, path, frame, contrast, max_pixels)))
                held += size
                following = next(coming, None)
            index, size = waiting[0][:2]
            held -= size
            # No name here: whoever takes the picture is then the only one who holds it.
            yield index, waiting.popleft()[2].result()
    finally:
        waiting.clear()
        threads.shutdown(wait=True, cancel_futures=True)


def _decode(path: Path, frame: int, contrast: Contrast, max_pixels: int) -> Rgb | MediaError:
    try:
        return read_rgb(path, frame, contrast, max_pixels=max_pixels)
    except MediaError as e:
        # A new one, because the traceback of the first keeps the decoder's buffers alive.
        return MediaError(str(e))


def _decoded_bytes(path: Path, frame: int, max_pixels: int) -> int:
    """Bytes of the decoded picture by its header; 0 where it will not be decoded."""
    try:
        width, height = frame_size(path, frame)
    except MediaError:
        return 0  # `read_rgb` will say why
    return 3 * width * height if width * height <= max_pixels else 0
