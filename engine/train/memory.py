"""Memory of a training process: how much it holds, and what it says when there is none left."""

from __future__ import annotations

import gc

import psutil

# As torch says it of a GPU, and of the CPU on Linux and on Windows.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is a want of memory, by its kind or by its words: torch has no kind for the CPU's."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY)


def memory_held(device: str) -> int:
    """Bytes that this process holds: on the GPU where the device is one, else in main memory."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.memory_reserved(device))
    return int(psutil.Process().memory_info().rss)


def let_go(device: str) -> None:
    """Give back what nothing refers to any more. Call it outside `except`: a traceback holds tensors."""
    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
