"""Kill the daemon at random moments: what it writes is what it writes undisturbed.

It is also what `streamae replay` computes from the input.

`python -m tests.test_kill 1000` runs a thousand kills.
"""

import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from streamae.autoencoders import MODELS
from streamae.cli import main
from tests.daemon import Daemon
from tests.streams import FEATURES, keys, timestamps, values

N_RECORDS = 60_000
N_KILLS = 25
OUTPUTS = ("alerts.jsonl", "scores.jsonl", "dead-letters.jsonl")


EVERY_TRANSFORM = {
    "diff": ["c"],
    "heavy_tails": ["a", "b"],
    "calendar": True,
    "time_zone": "Europe/Berlin",
    "lag": 2,
    "max_keys": 4,
    "n_latents": 16,
    "autoencoder_memory": 4096,
}


def settings(source: Path, emit: Sequence[str], detector: Mapping[str, Any]) -> dict[str, Any]:
    """Small polls, commits and snapshots, so that a kill falls into each of them."""
    return {
        "name": "kill",
        "source": {"path": str(source), "max_poll_records": 100},
        "record": {"key_field": "host", "timestamp_field": "time", "features": list(FEATURES)},
        "output": {"scores": "scores.jsonl", "emit": list(emit)},
        "detector": {"block_size": 64, "warmup_records": 256, **detector},
        "alerting": {"budget": 0.01, "quiet_records": 20},
        "commit": {"interval": 0.02, "alert_interval": 0.005},
        "state": {"snapshot_interval": 0.05},
        "log": {"format": "json", "level": "info"},
    }


def lines(n: int) -> bytes:
    """Return n records of five hosts in turn, a minute each; one in a hundred is broken."""
    records = zip(values(n, bad_share=0.01), keys(n), timestamps(n, 60_000), strict=True)
    return b"".join(
        b'{"host": "%s", "time": %d, %s\n' % (key, time_ms, value[1:])
        for value, key, time_ms in records
    )


def result(directory: Path) -> dict[str, object]:
    """Return what counts: every output, the offset reached, and the state there."""
    commit = json.loads((directory / "state" / "commit.json").read_bytes())
    (partition,) = commit["partitions"].values()
    outputs: dict[str, object] = {name: (directory / name).read_bytes() for name in OUTPUTS}
    return {
        **outputs,
        "offset": partition["offset"],
        "state": (directory / "state" / partition["snapshot"]).read_bytes(),
    }


def check(
    directory: Path,
    n_kills: int,
    seed: int,
    n_records: int = N_RECORDS,
    emit: Sequence[str] = (),
    **detector: Any,
) -> int:
    """Compare a run with `n_kills` kills to an undisturbed one; return the kills under load.

    `detector` has keys of that section.
    """
    source = directory / "in.jsonl"
    source.write_bytes(lines(n_records))
    undisturbed = Daemon(directory / "undisturbed", settings(source, emit, detector)).start()
    assert undisturbed.wait(300) == 0
    moments = random.Random(seed)  # noqa: S311 - a schedule, not a secret.
    killed = Daemon(directory / "killed", settings(source, emit, detector))
    under_load = 0
    for _ in range(n_kills):
        killed.start()
        # Every fifth kill falls into the start, the others into the work.
        if moments.random() < 0.2:
            time.sleep(moments.uniform(0, 3))
        else:
            killed.wait_for("partition assigned")
            time.sleep(moments.uniform(0, 0.3))
        under_load += killed.process is not None and killed.process.poll() is None
        killed.kill()
    assert killed.start().wait(300) == 0
    expected, found = result(undisturbed.directory), result(killed.directory)
    for name, content in expected.items():
        assert found[name] == content, f"{name} differs"
    assert expected["alerts.jsonl"]
    with contextlib.chdir(killed.directory):
        assert main(["replay", "--compare", "-c", str(killed.settings)]) == 0
    assert expected["dead-letters.jsonl"]
    return under_load


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kill_changes_nothing(tmp_path: Path) -> None:
    assert check(tmp_path, N_KILLS, seed=1) >= N_KILLS // 2


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(MODELS))
def test_kill_changes_nothing_whatever_the_model(tmp_path: Path, model: str) -> None:
    assert check(tmp_path, n_kills=4, seed=2, n_records=12_000, model=model) >= 2


@pytest.mark.slow
def test_kill_changes_nothing_with_every_transform(tmp_path: Path) -> None:
    emit = ("codes", "reconstruction")
    assert check(tmp_path, n_kills=4, seed=3, n_records=8_000, emit=emit, **EVERY_TRANSFORM) >= 2


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else N_KILLS
    with tempfile.TemporaryDirectory() as directory:
        print(f"{check(Path(directory), n, seed=n)} of {n} kills under load, outputs equal")
