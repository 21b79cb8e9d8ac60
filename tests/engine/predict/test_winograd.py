"""Winograd's convolution gives what the plain one gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.predict.winograd import WinogradConv2d, use_winograd


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 4), (1, 13, 70), (1, 50, 33), (5, 14, 14), (70, 7, 9)])
@pytest.mark.parametrize("bias", [True, False])
def test_that_every_shape_gives_the_plain_convolutions_numbers(
    shape: tuple[int, int, int], bias: bool
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(24, 40, 3, padding=1, bias=bias)
    x = torch.randn(shape[0], 24, *shape[1:]).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        torch.testing.assert_close(WinogradConv2d(conv)(x), conv(x), rtol=1e-4, atol=1e-4)


def test_that_only_wide_convolutions_that_fit_are_replaced() -> None:
    network = nn.Sequential(
        nn.Conv2d(256, 512, 3, padding=1),
        nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
        nn.Conv2d(256, 256, 3, stride=2, padding=1),
        nn.Conv2d(256, 256, 1),
        nn.Conv2d(256, 256, 3, padding=1, groups=2),
        nn.Conv2d(256, 64, 3, padding=1),
    )
    assert use_winograd(network) == 2
    assert isinstance(network[0], WinogradConv2d)
    assert isinstance(network[2], nn.Conv2d)


def test_that_a_convolution_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="stride 1"):
        WinogradConv2d(nn.Conv2d(8, 8, 3, stride=2, padding=1))
