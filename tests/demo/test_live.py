import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import pytest

from streamae.config import Config, Duration
from streamae.demo.live import SETTINGS, summary, warmup_s

STATUS = {"records": 1_203, "records_per_second": 4.96, "warmup": 0.25, "alerts": 1}


def test_summary() -> None:
    assert summary(STATUS) == "1,203 records · 5.0/s · warm-up 25% · 1 alert"
    assert summary(STATUS | {"warmup": 1.0, "alerts": 2}) == "1,203 records · 5.0/s · 2 alerts"


def test_warmup() -> None:
    settings = SETTINGS | {"source": {"kind": "host", "interval": Duration(0.5)}}
    config = msgspec.convert(settings, Config, dec_hook=lambda kind, value: kind(value))
    # The first block has no scores; a budget of one in 500 waits for 500, which fill eight.
    assert warmup_s(config) == (64 + 8 * 64) * 0.5


def watch(directory: Path, n_records: int) -> str:
    """Let the demo take `n_records`, press Ctrl-C and return what it wrote."""
    command = [sys.executable, "-m", "streamae", "demo", "--feed", "host"]
    with subprocess.Popen(
        [*command, "--directory", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "status page" in line:
                break
        url = lines[-1].split()[-1]
        while records(url) < n_records:
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=30)
        assert demo.returncode == 0, rest
        return "".join(lines) + rest


def records(url: str) -> int:
    with urllib.request.urlopen(f"{url}status", timeout=10) as answer:  # noqa: S310 - loopback.
        return int(json.load(answer)["records"])


@pytest.mark.slow
def test_ctrl_c_stops_in_order_and_the_next_run_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    text = watch(directory, 3)
    assert "streamae watches this machine" in text
    assert f"streamae demo --feed host --directory {directory}" in text
    written = (directory / "scores.jsonl").read_bytes().splitlines()
    assert len(written) >= 3
    watch(directory, 2)
    offsets = [
        json.loads(line)["source"]["offset"]
        for line in (directory / "scores.jsonl").read_bytes().splitlines()
    ]
    assert offsets == list(range(len(offsets)))
    assert len(offsets) >= len(written) + 2
