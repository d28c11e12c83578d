"""Detection quality, speed and memory beside other streaming detectors, in one run.

    python -m tests.benchmarks peers           prints the table: `make bench-quality`
    python -m tests.benchmarks.peers           writes it and the plot into the repository as well

Every row is scored before it is learnt, figures are of the rows after the first 512, and each
detector has a process of its own. A slow peer gets fewer rows of a set; streamae beside it is
judged by the same rows, and a set counts where these hold both labels. Rates are per second of
CPU time; memory is the growth of the process while it works, above imports and data.
"""

import ctypes
import gc
import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamae.evaluate import UNJUDGED_ROWS
from streamae.labelled import LabelledStream
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.types import Doubles
from tests.benchmarks import machine, plot
from tests.benchmarks.peer_scorers import PEERS
from tests.benchmarks.quality import shuttle
from tests.benchmarks.streams import every_stream
from tests.regenerate import ROOT

OURS = "streamae"
WARM_UP = 600
PROC = Path("/proc/self")
PLOT = ROOT / "tests/benchmarks/peers.svg"


class Run(NamedTuple):
    """One detector on one set."""

    scores: Doubles
    """[n], finite."""
    seconds: float
    peak_bytes: int


class Comparison(NamedTuple):
    """One detector over all sets, and streamae on the same rows; figures are means over sets."""

    name: str
    rows: int
    """Most rows of a set."""
    sets: int
    own: tuple[float, float]
    """ROC-AUC and average precision."""
    streamae: tuple[float, float]
    records_per_second: float
    peak_bytes: int


def run() -> list[str]:
    """Return the table, and a line for each peer that is not installed."""
    comparisons = compare()
    return [*table(comparisons), "", *skipped()]


def compare() -> list[Comparison]:
    """Run every peer that is installed, one after the other."""
    streams = dict(every_stream())
    ours: dict[str, Run] = {}
    comparisons = []
    for name, peer in PEERS.items():
        if peer.package is not None and find_spec(peer.package) is None:
            continue
        runs = _in_a_process_of_its_own(name)
        ours = ours or runs
        comparisons.append(_comparison(name, streams, runs, ours))
    return comparisons


def skipped() -> list[str]:
    """Say which peers were left out and why."""
    return [
        f"{name}: left out, `pip install {peer.package}` brings it"
        for name, peer in PEERS.items()
        if peer.package is not None and find_spec(peer.package) is None
    ]


def table(comparisons: list[Comparison]) -> list[str]:
    """Return a Markdown table, one line per detector."""
    lines = [
        "| | rows of a set, at most | sets | ROC-AUC | AP | streamae, same rows: ROC-AUC | AP |"
        " records/s | memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for c in comparisons:
        beside = ["", ""] if c.name == OURS else [f"{figure:.3f}" for figure in c.streamae]
        cells = [
            c.name,
            f"{c.rows:,}",
            f"{c.sets}",
            *(f"{figure:.3f}" for figure in c.own),
            *beside,
        ]
        cells += [f"{c.records_per_second:,.0f}", f"{c.peak_bytes / 2**20:,.0f} MiB"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def measure(name: str) -> dict[str, Run]:
    """Run one peer over every stream, in the process that calls."""
    # What it imports when first used is neither its speed nor its memory.
    PEERS[name].scorer(shuttle().x[:WARM_UP])
    return {stream: _run(name, labelled) for stream, labelled in every_stream()}


def _run(name: str, stream: LabelledStream) -> Run:
    peer = PEERS[name]
    x = stream.x[: peer.rows]
    before = _start_of_peak()
    started = time.process_time()
    scores = np.asarray(peer.scorer(x), np.float64)
    seconds = time.process_time() - started
    # Ours and the baselines have no score in the first block; a peer may overflow.
    return Run(np.nan_to_num(scores), seconds, max(_status("VmHWM") - before, 0))


def _in_a_process_of_its_own(name: str) -> dict[str, Run]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, [name])


def _comparison(
    name: str, streams: dict[str, LabelledStream], runs: dict[str, Run], ours: dict[str, Run]
) -> Comparison:
    figures = np.array(list(_figures(streams, runs, ours)))
    means = figures.mean(axis=0).tolist()
    n_rows = sum(len(run.scores) for run in runs.values())
    return Comparison(
        name=name,
        rows=PEERS[name].rows,
        sets=len(figures),
        own=(means[0], means[1]),
        streamae=(means[2], means[3]),
        records_per_second=n_rows / sum(run.seconds for run in runs.values()),
        peak_bytes=max(run.peak_bytes for run in runs.values()),
    )


def _figures(
    streams: dict[str, LabelledStream], runs: dict[str, Run], ours: dict[str, Run]
) -> Iterator[list[float]]:
    """Yield both figures of a peer and of streamae for each set whose rows hold both labels."""
    for name, mine in runs.items():
        judged = slice(UNJUDGED_ROWS, len(mine.scores))
        labels = streams[name].anomalous[judged]
        figures = [
            figure(run.scores[judged], labels)
            for run in (mine, ours[name])
            for figure in (roc_auc, average_precision)
        ]
        known = [figure for figure in figures if figure is not None]
        if len(known) == len(figures):
            yield known


def _start_of_peak() -> int:
    """Forget the process's peak so far and return what it holds now, in bytes (Linux, glibc)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # Memory freed before would hide what is taken now.
    (PROC / "clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> int:
    for line in (PROC / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{PROC}/status has no {field}")


def write() -> None:
    """Run, and replace the README's table and the plot."""
    comparisons = compare()
    lines = [machine.line(), "", *table(comparisons)]
    readme = ROOT / "README.md"
    readme.write_text(between(readme.read_text(), "peers", "\n".join(lines)))
    PLOT.write_text(plot.dumbbells(comparisons_of(comparisons)))
    print(*lines, *skipped(), sep="\n")


def comparisons_of(comparisons: list[Comparison]) -> list[plot.Pair]:
    """Return what the plot shows."""
    return [
        plot.Pair(c.name, f"{c.rows:,} rows, {c.records_per_second:,.0f}/s", c.own, c.streamae)
        for c in comparisons
        if c.name != OURS
    ]


def between(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of that name, which must be there."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    replaced, n = pattern.subn(lambda _: f"{begin}\n{content.rstrip()}\n\n{end}", text)
    if n != 1:
        raise ValueError(f"README.md has no {begin}")
    return replaced


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    write()
