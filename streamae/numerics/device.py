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


def device_memory(device: str) -> dict[str, int]:
    """Return bytes of the device by kind; nothing for the CPU, whose memory is the process's."""
    if device != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info()
    return {
        "allocated": torch.cuda.memory_allocated(),
        "reserved": torch.cuda.memory_reserved(),
        "free": free,
        "total": total,
    }
