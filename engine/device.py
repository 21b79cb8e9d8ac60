"""The device to compute on, its threads and memory, and the number format it is fastest in.

Every choice carries its reason in words, since a person who waits wants to know why. The format is
measured once a machine and remembered. Knows nothing of networks beyond what a typical layer is.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import platformdirs
import psutil
import torch
from torch import nn

from engine.errors import DeviceError
from engine.files import replacing

_logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")

MEASUREMENT = 2
"""Counts up when the measurement changes, so that remembered results of the old one are dropped."""

BUDGET_SECONDS = 1.2
WORTH_CHANNELS_LAST = 1.05
WORTH_BF16 = 1.2
WORTH_WINOGRAD = 1.1
"""Gains below these are noise or, for bf16, not worth eight bits of mantissa."""


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt (malloc.h)."""


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device by torch's name, and one sentence on why it was chosen."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. The GPU's are 0 where no GPU is used; `available` is what a new program could take."""

    total: int
    available: int
    gpu_total: int = 0
    gpu_free: int = 0


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How to run a network: under bf16 autocast or in fp32, channels_last or contiguous.

    `gain` is the measured time of contiguous fp32 over the time of this format, 1 or more.
    `winograd`: wide 3 x 3 convolutions go through `engine.predict.winograd`.
    """

    bf16: bool
    channels_last: bool
    gain: float
    reason: str
    winograd: bool = False


PLAIN = NumberFormat(
    bf16=False, channels_last=False, gain=1.0, reason="fp32, contiguous: as torchvision runs"
)


def choose_device(wanted: str = "auto") -> DeviceChoice:
    """The device that `wanted` (one of DEVICES) stands for here.

    `auto` takes a CUDA GPU that works, else the CPU. Raises DeviceError where a device was asked for
    by name and cannot be used.
    """
    if wanted not in DEVICES:
        raise DeviceError(f"No device is called '{wanted}'; choose one of {', '.join(DEVICES)}.")
    if wanted == "cpu":
        return DeviceChoice("cpu", "CPU: it was asked for")
    if wanted == "mps":
        return _choose_mps()
    obstacle = cuda_obstacle()
    if obstacle is None:
        properties = torch.cuda.get_device_properties(0)
        return DeviceChoice("cuda", f"CUDA: {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    if wanted == "cuda":
        raise DeviceError(f"CUDA was asked for, but {obstacle}; choose the CPU, or mend that.")
    if torch.backends.mps.is_available():
        obstacle = "Apple's GPU is there but this project has not tested it (--device mps tries it)"
    return DeviceChoice("cpu", f"CPU: {obstacle}")


def _choose_mps() -> DeviceChoice:
    if not torch.backends.mps.is_available():
        raise DeviceError("Apple's GPU (mps) was asked for, but this torch finds none; choose the CPU.")
    return DeviceChoice("mps", "Apple GPU: it was asked for")


def cuda_obstacle() -> str | None:
    """Why no CUDA GPU can be used, as a clause; None where one works.

    It runs one small kernel, since a GPU that torch lists may still be too old for this build.
    """
    if torch.version.cuda is None and torch.version.hip is None:
        return "this torch was built without CUDA"
    built = (
        f"this torch has ROCm {torch.version.hip}"
        if torch.version.hip
        else f"this torch has CUDA {torch.version.cuda}"
    )
    if torch.version.hip is None and not _has_nvidia_driver():
        return f"{built} but no NVIDIA driver was found"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns and raises; the raised text says more
        try:
            torch.ones(8, device="cuda").add(1).sum().item()
        except (RuntimeError, AssertionError) as error:
            first = str(error).strip().splitlines()[0].rstrip(".")
            return f"{built} and the GPU cannot be used ({first})"
    return None


def _has_nvidia_driver() -> bool:
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def core_count() -> int:
    """Physical cores this process may use: fewer than the machine has under affinity or a quota."""
    limits = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        limits.append(len(os.sched_getaffinity(0)))
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            limits.append(int(quota) // int(period))
    return max(1, min(limits))


def thread_count(*, window: bool) -> int:
    """Threads for torch: every core on the command line, all but one while a window must answer."""
    return max(1, core_count() - 1) if window else core_count()


def use_threads(*, window: bool) -> int:
    """Set torch's threads for this process and return their number; without a window, keep its memory too."""
    count = thread_count(window=window)
    torch.set_num_threads(count)
    if not window:
        _keep_freed_memory()
    return count


def _keep_freed_memory() -> None:
    """Have glibc reuse what torch frees instead of giving it back after every layer.

    Each big tensor is otherwise mapped afresh and every page of it faults in again: 20,000 to 80,000
    faults a forward pass of R50-FPN at 480 x 640. Not with a window, which lives long and should
    give memory back. Elsewhere than on glibc this does nothing.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_ARENA_MAX, 1)):
        mallopt(parameter, value)


def memory(device: str = "cpu") -> Memory:
    """What the machine has and has free; with the GPU's for a CUDA device."""
    ram = psutil.virtual_memory()
    free, total = torch.cuda.mem_get_info(device) if device.startswith("cuda") else (0, 0)
    return Memory(total=ram.total, available=ram.available, gpu_total=total, gpu_free=free)


@cache
def cpu_name() -> str:
    """The processor as its maker calls it, or as well as the system can say."""
    if sys.platform == "linux":
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown CPU"


def cpu_capability() -> str:
    """The widest vector instructions torch uses on this processor, such as `AVX2` or `AVX512`."""
    return str(torch.backends.cpu.get_cpu_capability())


def number_format(device: str, *, file: Path | None = None, afresh: bool = False) -> NumberFormat:
    """The format in which networks run fastest on `device` (torch's name).

    The first call on a machine measures for about a second; later ones read `file` (by default one in
    the user's cache folder), which remembers by processor or GPU, threads and torch version. `afresh`
    measures again, for a machine that was busy the first time. A file that cannot be read or written
    costs only another measurement.
    """
    file = file or Path(platformdirs.user_cache_dir("Maskwright", appauthor=False)) / "number_format.json"
    key = _machine_key(device)
    known = _read(file)
    if key in known and not afresh:
        return known[key]
    result = measure_format(device)
    _logger.info("number format of %s: %s", key, result.reason)
    _write(file, {**known, key: result})
    return result


def _machine_key(device: str) -> str:
    kind = torch.device(device).type
    name = torch.cuda.get_device_name(device) if kind == "cuda" else f"{cpu_name()} {cpu_capability()}"
    parts = [str(MEASUREMENT), kind, name, f"{torch.get_num_threads()} threads", f"torch {torch.__version__}"]
    return " | ".join(parts)


def _read(file: Path) -> dict[str, NumberFormat]:
    try:
        return {key: NumberFormat(**fields) for key, fields in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path, known: Mapping[str, NumberFormat]) -> None:
    text = json.dumps({key: asdict(value) for key, value in known.items()}, indent=1)
    with suppress(OSError), replacing(file) as part:
        part.write_text(text, encoding="utf-8")


def measure_format(device: str) -> NumberFormat:
    """Time typical layers in each format and choose; takes about `BUDGET_SECONDS`."""
    plain, last = _Layers(device, channels_last=False), _Layers(device, channels_last=True)
    runs: dict[str, Callable[[], None]] = {
        "plain": lambda: plain.run(bf16=False),
        "channels_last": lambda: last.run(bf16=False),
        "bf16": lambda: last.run(bf16=True),
    }
    if torch.device(device).type != "cpu":
        for run in runs.values():
            run()  # a GPU loads its kernels at the first call, which takes longer than the work
    chosen = judge_formats(time_formats(runs))
    if torch.device(device).type != "cpu" or chosen.bf16:
        return chosen
    gain = _winograd_gain()
    told = f"{chosen.reason}; wide 3 x 3 convolutions run at {gain:.2f}x by Winograd's filtering"
    return replace(chosen, reason=told, winograd=gain >= WORTH_WINOGRAD)


@torch.inference_mode()
def _winograd_gain() -> float:
    """How much faster than the plain one a convolution of the RPN's kind is on the CPU."""
    from engine.predict.winograd import WinogradConv2d

    plain = nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    quick = WinogradConv2d(plain)
    level = torch.zeros(1, 256, 50, 66).contiguous(memory_format=torch.channels_last)
    seconds = time_formats({"plain": lambda: plain(level), "winograd": lambda: quick(level)}, 0.4)
    return seconds["plain"] / seconds["winograd"]


def judge_formats(seconds: Mapping[str, float]) -> NumberFormat:
    """The format that the times of `plain`, `channels_last` and `bf16` (with channels_last) speak for."""
    base = seconds["plain"]
    last, half = base / seconds["channels_last"], base / seconds["bf16"]
    told = f"channels_last runs at {last:.2f}x and bf16 with it at {half:.2f}x the speed of plain fp32"
    if half >= WORTH_BF16 and half >= WORTH_BF16 * last:
        return NumberFormat(True, True, round(half, 2), f"bf16, channels_last: {told}")
    if last >= WORTH_CHANNELS_LAST:
        return NumberFormat(False, True, round(last, 2), f"fp32, channels_last: {told}")
    return NumberFormat(False, False, 1.0, f"fp32, contiguous: {told}")


def time_formats(
    runs: Mapping[str, Callable[[], object]], budget: float = BUDGET_SECONDS
) -> dict[str, float]:
    """Best seconds of each run, in turn until the budget (seconds) is spent.

    In turn and the best of several, because the machine may be busy with something else. A format
    at less than a third of the fastest's speed is not tried again.
    """
    deadline = time.perf_counter() + budget
    best = {name: _seconds(run) for name, run in runs.items()}
    while time.perf_counter() < deadline:
        hopeful = [name for name in runs if best[name] < 3 * min(best.values())]
        for name in hopeful:
            best[name] = min(best[name], _seconds(runs[name]))
    return best


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


class _Layers:
    """Two bottlenecks of ResNet-50 at stride 4, an FPN convolution and a box head's first layer."""

    def __init__(self, device: str, *, channels_last: bool) -> None:
        from torchvision.models.resnet import Bottleneck
        from torchvision.ops import FrozenBatchNorm2d

        self.device = torch.device(device)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        convolutions = nn.Sequential(
            Bottleneck(256, 64, norm_layer=FrozenBatchNorm2d),
            Bottleneck(256, 64, norm_layer=FrozenBatchNorm2d),
            nn.Conv2d(256, 256, 3, padding=1, stride=2),
        )
        self.convolutions = convolutions.to(self.device).to(memory_format=layout).requires_grad_(False)
        self.linear = nn.Linear(12544, 1024).to(self.device).requires_grad_(False)
        self.image = torch.ones(1, 256, 80, 106, device=self.device).contiguous(memory_format=layout)
        self.boxes = torch.ones(32, 12544, device=self.device)

    def run(self, *, bf16: bool) -> None:
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            self.convolutions(self.image)
            self.linear(self.boxes)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
