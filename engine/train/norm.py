"""Live normalisation for a network that starts from nothing, and its frozen form afterwards.

Weights from a classifier come with their statistics, which two pictures a step could only spoil;
fresh weights have none and do not train well without. Both forms hold the same numbers under the same
names, so a model is always saved in the frozen one.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d


def thaw(module: nn.Module) -> None:
    """Replace every FrozenBatchNorm2d by a BatchNorm2d with its numbers, in place."""
    for name, child in module.named_children():
        if isinstance(child, FrozenBatchNorm2d):
            live = nn.BatchNorm2d(len(child.weight), eps=child.eps)
            live.load_state_dict(child.state_dict(), strict=False)
            setattr(module, name, live.train(module.training))
        else:
            thaw(child)


def frozen(module: nn.Module) -> None:
    """Replace every BatchNorm2d by a FrozenBatchNorm2d with its numbers, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            fixed = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            numbers = child.state_dict()
            del numbers["num_batches_tracked"]
            fixed.load_state_dict(numbers)
            setattr(module, name, fixed)
        else:
            frozen(child)


def statistics(module: nn.Module) -> dict[str, Tensor]:
    """The running means and variances of every live BatchNorm2d, by their names in the state."""
    return {
        f"{name}.{kind}": buffer
        for name, child in module.named_modules()
        if isinstance(child, nn.BatchNorm2d)
        for kind, buffer in (("running_mean", child.running_mean), ("running_var", child.running_var))
        if buffer is not None
    }
