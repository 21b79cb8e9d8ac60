"""The choice of a device and of a number format, on machines of every kind (torch is told what to find)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from engine import device
from engine.device import NumberFormat, choose_device, judge_formats, number_format, time_formats
from engine.errors import DeviceError


def a_machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    built_for: str | None = "13.2",
    driver: bool = True,
    kernel_fails: str = "",
    apple: bool = False,
) -> None:
    """Make torch and the system look like such a machine."""

    def ones(*_: object, **__: object) -> torch.Tensor:
        if kernel_fails:
            raise RuntimeError(kernel_fails)
        return torch.zeros(8)

    monkeypatch.setattr(device, "_has_nvidia_driver", lambda: driver)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)
    properties = SimpleNamespace(name="NVIDIA H200", total_memory=139 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)


def test_that_a_gpu_that_works_is_taken_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch)
    assert choose_device() == device.DeviceChoice("cuda", "CUDA: NVIDIA H200, 139 GiB")


@pytest.mark.parametrize(
    ("built_for", "driver", "kernel_fails", "reason"),
    [
        (None, True, "", "this torch was built without CUDA"),
        ("13.2", False, "", "this torch has CUDA 13.2 but no NVIDIA driver was found"),
        ("13.2", True, "The driver is too old.\nmore", "and the GPU cannot be used (The driver is too old)"),
    ],
)
def test_that_the_cpu_is_taken_with_the_reason_and_asking_for_cuda_fails_with_it(
    monkeypatch: pytest.MonkeyPatch, built_for: str | None, driver: bool, kernel_fails: str, reason: str
) -> None:
    a_machine(monkeypatch, built_for=built_for, driver=driver, kernel_fails=kernel_fails)
    choice = choose_device("auto")
    assert choice.name == "cpu"
    assert choice.reason.startswith("CPU: ")
    assert reason in choice.reason
    with pytest.raises(DeviceError) as failure:
        choose_device("cuda")
    assert reason in str(failure.value)
    assert "choose the CPU" in str(failure.value)


def test_that_the_cpu_can_be_asked_for_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch)
    assert choose_device("cpu").name == "cpu"


def test_that_an_apple_gpu_is_used_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch, built_for=None, apple=True)
    choice = choose_device("auto")
    assert choice.name == "cpu"
    assert "--device mps" in choice.reason
    assert choose_device("mps").name == "mps"
    a_machine(monkeypatch, built_for=None, apple=False)
    with pytest.raises(DeviceError, match="finds none"):
        choose_device("mps")


def test_that_an_unknown_device_is_told_which_there_are() -> None:
    with pytest.raises(DeviceError, match=r"'gpu'.* auto, cpu, cuda, mps"):
        choose_device("gpu")


@pytest.mark.parametrize(("cores", "beside_window"), [(1, 1), (2, 1), (16, 15)])
def test_that_a_window_keeps_one_core(
    monkeypatch: pytest.MonkeyPatch, cores: int, beside_window: int
) -> None:
    monkeypatch.setattr(device, "core_count", lambda: cores)
    assert device.thread_count(window=True) == beside_window
    assert device.thread_count(window=False) == cores


def test_that_no_more_cores_are_counted_than_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda **_: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert device.core_count() == 1


@pytest.mark.parametrize(
    ("plain", "channels_last", "bf16", "expected"),
    [
        (1.0, 0.8, 7.0, (False, True, 1.25)),  # AVX2
        (1.0, 0.99, 4.0, (False, False, 1.0)),  # no gain above the noise
        (1.0, 0.8, 0.4, (True, True, 2.5)),  # AMX
        (1.0, 0.8, 0.75, (False, True, 1.25)),  # bf16 hardly better than channels_last alone
        (1.0, 1.5, 0.8, (True, True, 1.25)),
    ],
)
def test_that_a_format_is_taken_only_for_a_gain(
    plain: float, channels_last: float, bf16: float, expected: tuple[bool, bool, float]
) -> None:
    judged = judge_formats({"plain": plain, "channels_last": channels_last, "bf16": bf16})
    assert (judged.bf16, judged.channels_last, judged.gain) == expected


def test_that_a_hopeless_format_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    tries = {"quick": 0, "slow": 0}

    def takes(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            nonlocal now
            now += seconds
            tries[name] += 1

        return run

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    seconds = time_formats({"quick": takes("quick", 0.1), "slow": takes("slow", 0.4)})
    assert seconds == {"quick": pytest.approx(0.1), "slow": pytest.approx(0.4)}
    assert tries["slow"] == 1
    assert tries["quick"] > 5


def test_that_the_format_is_measured_once_a_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cache" / "formats.json"
    answers = [NumberFormat(False, True, gain, "measured") for gain in (1.1, 1.2, 1.3)]
    monkeypatch.setattr(device, "measure_format", lambda _: answers.pop(0))
    assert number_format("cpu", file=file).gain == 1.1
    assert number_format("cpu", file=file).gain == 1.1
    assert number_format("cpu", file=file, afresh=True).gain == 1.2
    monkeypatch.setattr(device, "cpu_name", lambda: "another processor")
    assert number_format("cpu", file=file).gain == 1.3
    assert len(json.loads(file.read_bytes())) == 2
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b'{"a": {"gain": 1}}', b"\xff\xfe"])
def test_that_a_damaged_memory_costs_only_another_measurement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "formats.json"
    file.write_bytes(content)
    monkeypatch.setattr(device, "measure_format", lambda _: device.PLAIN)
    assert number_format("cpu", file=file) == device.PLAIN
    assert len(json.loads(file.read_bytes())) == 1


def test_that_a_memory_that_cannot_be_written_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(device, "measure_format", lambda _: device.PLAIN)
    assert number_format("cpu", file=tmp_path / "file" / "formats.json") == device.PLAIN


def test_that_the_real_measurement_answers_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "BUDGET_SECONDS", 0.1)
    measured = device.measure_format("cpu")
    assert measured.gain >= 1
    assert "channels_last" in measured.reason


def test_that_memory_is_counted_in_bytes() -> None:
    memory = device.memory()
    assert 2**28 < memory.available <= memory.total
    assert (memory.gpu_total, memory.gpu_free) == (0, 0)
