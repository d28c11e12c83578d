"""Prometheus' own tool, which the tests need."""

import re
import subprocess
from pathlib import Path

import pytest

from streamae.metrics import Metric

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


def promtool(*arguments: str | Path) -> None:
    """Run `promtool` and fail with what it says."""
    try:
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.fail("promtool is missing: apt-get install prometheus")
    assert done.returncode == 0, done.stdout + done.stderr


def unknown_metrics(text: str) -> set[str]:
    """Return the names in `text` that look like a series of the daemon and are none."""
    exposed = {
        metric.exposed + suffix
        for metric in Metric
        for suffix in SUFFIXES.get(metric.value.kind, ("",))
    }
    return set(re.findall(r"\bstreamae_[a-z_]+", text)) - exposed
