"""streamae: streaming anomaly detection with an online denoising sparse autoencoder."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamae.arrays import Detector
    from streamae.detector.estimator import StreamingAnomalyDetector

__version__ = "0.1.0"
__all__ = ["Detector", "StreamingAnomalyDetector", "__version__"]

_HOMES = {
    "Detector": "streamae.arrays",
    "StreamingAnomalyDetector": "streamae.detector.estimator",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch takes seconds, `--help` must not."""
    if name not in _HOMES:
        raise AttributeError(f"module 'streamae' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
