"""Where tensors live."""

import torch


def resolve_device(name: str) -> str:
    """Return the device that `auto`, `cpu` or `cuda` stands for here.

    Raise ValueError when CUDA is asked for and there is no such device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device can be used here")
    return name
