"""A model version made ready to run, whatever network it holds."""

from __future__ import annotations

from torchvision.models.detection.ssd import SSD

from engine.device import number_format
from engine.models.card import ModelVersion
from engine.models.version import load_detector
from engine.predict.predictor import Predictor
from engine.predict.runner import Runner
from engine.predict.settings import PredictSettings
from engine.predict.ssd import SsdRunner


def runner_of(version: ModelVersion, settings: PredictSettings | None = None, *, device: str) -> Runner:
    """Load it for a device, in the number format that is quickest there. Raises ModelError."""
    network, fast = load_detector(version), number_format(device)
    if isinstance(network, SSD):
        return SsdRunner(network, version.card, settings, device=device, number_format=fast)
    return Predictor(network, version.card, settings, device=device, number_format=fast)
