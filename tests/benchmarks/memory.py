"""Resident memory of the daemon beside that of a bare `import torch`, and how it grows.

The daemon follows a file of JSON arrays with the default configuration of the embedded mode; its
resident memory is the mean over the second half of the first million records, and over the second
half of all ten million.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks import testbed
from tests.benchmarks.testbed import Sample
from tests.daemon import Daemon

N_RECORDS = 10_000_000
FIRST = 1_000_000
N_FEATURES = 4
CHUNK = 100_000
INTERVAL_S = 0.2
MIB = 1 << 20

IMPORT_TORCH = "import torch, psutil; print(psutil.Process().memory_info().rss)"


def run() -> list[str]:
    """Return the resident memory in MiB."""
    with testbed.directory() as directory:
        path = directory / "vectors.jsonl"
        write(path)
        samples = streamae(directory, path)
    early, late = mean_resident(samples, FIRST), mean_resident(samples, N_RECORDS)
    figures = {
        "python, import torch": import_torch(),
        f"streamae at {FIRST / 1e6:.0f} million records": early,
        f"streamae at {N_RECORDS / 1e6:.0f} million records": late,
        "growth": late - early,
    }
    lines = ["resident memory of the embedded mode, MiB"]
    return lines + [f"{name:32}{size / MIB:8.1f}" for name, size in figures.items()]


def import_torch() -> int:
    """Return the resident bytes of a Python that has imported torch and psutil."""
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_TORCH], capture_output=True, text=True, check=True
    )
    return int(answer.stdout)


def write(path: Path) -> None:
    """Write `N_RECORDS` arrays of correlated numbers; every `CHUNK` of them the same."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(CHUNK, 2)) @ rng.normal(size=(2, N_FEATURES))
    x = (x + 0.1 * rng.normal(size=x.shape)).round(4)
    chunk = "".join(f"{row}\n" for row in x.tolist()).encode()
    with path.open("wb") as file:
        for _ in range(N_RECORDS // CHUNK):
            file.write(chunk)


def streamae(directory: Path, path: Path) -> list[Sample]:
    """Run the daemon on the file; return samples from its first record to its last."""
    daemon = Daemon(directory, {"source": {"path": str(path), "follow": True}}).start()
    samples = [testbed.sample(daemon)]
    try:
        while samples[-1].n_records < N_RECORDS:
            time.sleep(INTERVAL_S)
            samples.append(testbed.sample(daemon))
    finally:
        daemon.kill()
    return samples


def mean_resident(samples: Sequence[Sample], n: int) -> float:
    """Return the mean resident bytes over the records n/2 to n."""
    sizes = [one.resident_bytes for one in samples if n / 2 <= one.n_records <= n]
    return sum(sizes) / len(sizes)
