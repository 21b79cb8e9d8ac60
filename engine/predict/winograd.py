"""3 x 3 convolutions by Winograd's minimal filtering, F(4x4, 3x3): 36 products where there were 144.

On a CPU the 3 x 3 convolutions of FPN, RPN and mask head are most of the work of a forward pass and
they are bound by arithmetic. The transforms cost memory traffic, so the work is done in strips that
stay in the cache. Inference only; fp32; the error is about 1e-5 of the values.

Paper: Lavin & Gray, Fast Algorithms for Convolutional Neural Networks, 2015 (section 4.3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_CHANNELS = 256
"""With fewer the transforms cost about as much as the products saved."""
TILES_AT_ONCE = 280
"""Of 36 x C floats each: 10 MB for 256 channels."""

_B = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_G = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
_A = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)


class WinogradConv2d(nn.Module):
    """A drop-in for a 3 x 3 convolution of stride 1 and padding 1, for inference."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        if not fits(conv):
            raise ValueError("only ungrouped 3 x 3 convolutions of stride 1 and padding 1 fit")
        filters = torch.einsum("ia,kcab,jb->ijck", _G, conv.weight.detach().double(), _G)
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach().float()
        # Each two-dimensional transform is one product with the flattened 6 x 6 tile.
        self.register_buffer("filters", filters.flatten(0, 1).float().contiguous())  # 36 x C x K
        self.register_buffer("bias", bias)
        self.register_buffer("into", torch.kron(_B, _B).float())
        self.register_buffer("back", torch.kron(_A, _A).float())

    filters: Tensor
    bias: Tensor
    into: Tensor
    back: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W -> N x K x H x W, channels last."""
        n, _, height, width = x.shape
        rows, columns = -(-height // 4), -(-width // 4)
        right, below = columns * 4 + 1 - width, rows * 4 + 1 - height
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, right, 1, below))
        out = x.new_empty((n, rows * 4, columns * 4, len(self.bias)))
        tiles = padded.unfold(1, 6, 4).unfold(2, 6, 4)  # N x rows x columns x C x 6 x 6
        blocks = out.view(n, rows, 4, columns, 4, len(self.bias))
        if n == 1:  # strips of rows of the one picture; else groups of whole (small) pictures
            tiles, blocks = tiles.transpose(0, 1), blocks.transpose(0, 1)
        step = max(1, TILES_AT_ONCE // (tiles.shape[1] * columns))
        for start in range(0, len(tiles), step):
            self._strip(tiles[start : start + step], blocks[start : start + step])
        return out[:, :height, :width].permute(0, 3, 1, 2)

    def _strip(self, tiles: Tensor, blocks: Tensor) -> None:
        """tiles: a x b x w x C x 6 x 6 -> blocks: a x b x 4 x w x 4 x K."""
        a, b, w, channels = tiles.shape[:4]
        flat = tiles.permute(4, 5, 0, 1, 2, 3).reshape(36, -1)
        spectra = (self.into @ flat).view(36, a * b * w, channels)
        products = torch.bmm(spectra, self.filters).view(36, -1)
        result = (self.back @ products).view(4, 4, a, b, w, -1).add_(self.bias)
        blocks.copy_(result.permute(2, 3, 0, 4, 1, 5))


def fits(conv: nn.Conv2d) -> bool:
    """Whether a convolution can be done this way."""
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.padding == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
    )


def use_winograd(module: nn.Module) -> int:
    """Replace every convolution that fits and is wide enough, in place; how many there were."""
    replaced = 0
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            if fits(child) and min(child.in_channels, child.out_channels) >= LEAST_CHANNELS:
                setattr(module, name, WinogradConv2d(child))
                replaced += 1
        else:
            replaced += use_winograd(child)
    return replaced
