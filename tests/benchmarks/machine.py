"""What the figures were measured on."""

import os
import platform
from importlib import metadata
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = ("torch", "numpy", "kafka-python")


def line() -> str:
    """Return the processor, its cores this process may use, and the versions that matter."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    return f"{processor()}, {cores} cores, Python {platform.python_version()}, {versions}"


def processor() -> str:
    """Return the name of the processor, or of its architecture where Linux does not say."""
    if CPUINFO.exists():
        for entry in CPUINFO.read_text().splitlines():
            name, _, value = entry.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
