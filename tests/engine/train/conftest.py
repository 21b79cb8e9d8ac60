"""Training tests use one thread: two wait for each other on a machine that others use too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr("engine.train.loop.use_threads", lambda **_: 1)
    yield
    torch.set_num_threads(before)
