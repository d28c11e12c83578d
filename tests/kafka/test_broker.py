import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka.broker import listening
from tests.kafka.cluster import until

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

OWNER = """
import signal, sys
from pathlib import Path
from tests.kafka.broker import Broker

with Broker(Path(sys.argv[1])) as broker:
    if sys.argv[2] == "paused":
        broker.pause()
    print(broker.pid, broker.bootstrap, flush=True)
    signal.pause()
"""


def alive(pid: int) -> bool:
    """Return whether a process runs; one that nobody waited for does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("state", ["running", "paused"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_broker_ends_with_the_tests(number: signal.Signals, state: str, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path / "kafka", state],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        pid, bootstrap = owner.stdout.readline().split()
        assert alive(int(pid))
        assert b"kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_bytes()
        owner.send_signal(number)
        assert owner.wait() == -number
    until(lambda: not alive(int(pid)), timeout_s=10)
    until(lambda: not listening(int(bootstrap.rpartition(":")[2])), timeout_s=10)
