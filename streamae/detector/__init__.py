"""The online denoising sparse autoencoder and its calibration: arrays in, values out."""

import torch

from streamae.detector.detector import Detector
from streamae.detector.drift import Drift
from streamae.detector.explain import Explanation
from streamae.detector.head import LogisticHead
from streamae.detector.scores import Learned, Scores
from streamae.numerics.device import device_memory, resolve_device

__all__ = [
    "Detector",
    "Drift",
    "Explanation",
    "Learned",
    "LogisticHead",
    "Scores",
    "device_memory",
    "resolve_device",
    "set_threads",
]


def set_threads(n: int) -> None:
    """Use n threads per matrix product, in the whole process."""
    torch.set_num_threads(n)
