"""Reads every file under a folder and prints what came of it, one JSON line a file; run as a child process.

Memory is limited where the system can, warnings are errors, and opening anything for writing is reported.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

MEMORY = 3 << 30
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main(folder: Path) -> None:
    """Read every file under ``folder``, at least its header."""
    from engine.errors import MediaError
    from engine.media.image import probe, read_rgb

    warnings.simplefilter("error")
    try:
        import resource
    except ImportError:
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    written: list[str] = []

    def watch(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & _WRITING:
            written.append(str(args[0]))

    sys.addaudithook(watch)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        start = time.perf_counter()
        shape, error = None, ""
        try:
            pixels = read_rgb(path).shape
            info = probe(path)
            if pixels == (info.height, info.width, 3):
                shape = pixels
            else:
                error = f"probe said {info} and the picture is {pixels}"
        except MediaError as e:
            error = str(e)
        seconds = time.perf_counter() - start
        line = {
            "folder": path.relative_to(folder).parts[0],
            "name": path.name,
            "shape": shape,
            "error": error,
            "seconds": seconds,
            "written": written,
        }
        print(json.dumps(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
