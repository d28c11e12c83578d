"""streamae: streaming anomaly detection with an online denoising sparse autoencoder."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamae.arrays import Detector
    from streamae.autoencoders import (
        ContractiveAutoencoder,
        DenoisingAutoencoder,
        KSparseAutoencoder,
        L1SparseAutoencoder,
        NearestCodes,
        ShallowAutoencoder,
        SparseAutoencoder,
        StackedDenoisingAutoencoder,
        VariationalAutoencoder,
    )
    from streamae.detector.estimator import StreamingAnomalyDetector

__version__ = "0.1.0"
__all__ = [
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "Detector",
    "KSparseAutoencoder",
    "L1SparseAutoencoder",
    "NearestCodes",
    "ShallowAutoencoder",
    "SparseAutoencoder",
    "StackedDenoisingAutoencoder",
    "StreamingAnomalyDetector",
    "VariationalAutoencoder",
    "__version__",
]

_HOMES = {
    "Detector": "streamae.arrays",
    "StreamingAnomalyDetector": "streamae.detector.estimator",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch takes seconds, `--help` must not."""
    if name not in __all__:
        raise AttributeError(f"module 'streamae' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "streamae.autoencoders")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
