"""A hang ends the process, whatever else is slow does not."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from streamae.watchdog import Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def codes() -> list[int]:
    """Exit codes the process would have ended with."""
    return []


@pytest.fixture
def watchdog(clock: Clock, codes: list[int]) -> Watchdog:
    return Watchdog(60.0, clock, codes.append)


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = caplog.records
    return dict(vars(record)["streamae_fields"])


def test_records_that_wait(watchdog: Watchdog, clock: Clock, codes: list[int]) -> None:
    watchdog.waiting(17)
    clock.now = 59.9
    watchdog.check()
    assert codes == []
    clock.now = 60.0
    assert watchdog.hang() == "17 records wait and none is processed"
    watchdog.check()
    assert codes == [75]


def test_polling_is_no_progress(watchdog: Watchdog, clock: Clock, codes: list[int]) -> None:
    for now in range(61):
        clock.now = float(now)
        watchdog.waiting(5)
    watchdog.check()
    assert codes == [75]
    assert watchdog.alive()


def test_an_idle_loop_is_none(watchdog: Watchdog, clock: Clock, codes: list[int]) -> None:
    watchdog.waiting(0)
    clock.now = 1000.0
    watchdog.check()
    assert codes == []


def test_waiting_begins_with_the_first_record(watchdog: Watchdog, clock: Clock) -> None:
    watchdog.waiting(0)
    clock.now = 1000.0
    watchdog.waiting(3)
    clock.now = 1059.0
    assert watchdog.hang() is None
    clock.now = 1060.0
    assert watchdog.hang() is not None


def test_progress_and_an_emptied_backlog_both_count(watchdog: Watchdog, clock: Clock) -> None:
    watchdog.waiting(3)
    clock.now = 50.0
    watchdog.progress()
    clock.now = 100.0
    assert watchdog.hang() is None
    watchdog.waiting(0)
    clock.now = 200.0
    watchdog.waiting(3)
    clock.now = 230.0
    assert watchdog.hang() is None


def test_a_call_that_does_not_return(watchdog: Watchdog, clock: Clock, codes: list[int]) -> None:
    clock.now = 500.0
    with watchdog.guard("commit"):
        clock.now = 559.0
        watchdog.check()
        assert codes == []
        clock.now = 560.0
        assert watchdog.hang() == "commit has not returned"
        watchdog.check()
    assert codes == [75]
    assert watchdog.hang() is None


def test_calls_that_return_without_progress(watchdog: Watchdog, clock: Clock) -> None:
    watchdog.waiting(1)
    for now in range(0, 61, 10):
        with watchdog.guard("commit"):
            clock.now = float(now)
    assert watchdog.hang() == "1 records wait and none is processed"


def test_a_call_that_raises_is_over(watchdog: Watchdog, clock: Clock) -> None:
    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError), watchdog.guard("commit"):
        fail()
    clock.now = 100.0
    assert watchdog.hang() is None


@pytest.mark.parametrize("event", ["progress", "waiting", "guard"])
def test_alive(watchdog: Watchdog, clock: Clock, event: str) -> None:
    clock.now = 59.0
    assert watchdog.alive()
    clock.now = 60.0
    assert not watchdog.alive()
    if event == "progress":
        watchdog.progress()
    elif event == "waiting":
        watchdog.waiting(1)
    else:
        with watchdog.guard("commit"):
            pass
    assert watchdog.alive()


def test_the_report_names_the_threads(
    watchdog: Watchdog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.now = 1.0
    with watchdog.guard("commit"):
        clock.now = 61.0
        watchdog.check()
    fields = logged(caplog)
    assert fields["why"] == "commit has not returned"
    assert "test_the_report_names_the_threads" in fields["stacks"]
    assert fields["stacks"].count("hread 0x") >= 2


class Blocked(logging.Handler):
    """A log stream nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.read = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        self.read.wait(30.0)


@pytest.fixture
def blocked() -> Iterator[Blocked]:
    handler = Blocked()
    logging.getLogger().addHandler(handler)
    yield handler
    handler.read.set()
    logging.getLogger().removeHandler(handler)


def test_a_blocked_log_does_not_keep_the_process(
    watchdog: Watchdog,
    clock: Clock,
    codes: list[int],
    blocked: Blocked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamae.watchdog._REPORT_S", 0.05)
    watchdog.waiting(1)
    clock.now = 60.0
    watchdog.check()
    assert codes == [75]
    assert not blocked.read.is_set()


def test_a_thread_watches_between_start_and_stop(clock: Clock) -> None:
    ended = threading.Event()
    watchdog = Watchdog(0.1, clock, lambda _code: ended.set())
    for _ in range(2):
        watchdog.start()
        watchdog.waiting(1)
        clock.now += 100.0
        assert ended.wait(10.0)
        watchdog.stop()
        ended.clear()
    clock.now += 100.0
    assert watchdog.hang() is not None
    assert not ended.wait(0.2)


def test_starting_forgives_the_time_before(clock: Clock, codes: list[int]) -> None:
    watchdog = Watchdog(60.0, clock, codes.append)
    clock.now = 100.0
    watchdog.start()
    assert watchdog.alive()
    watchdog.stop()


HANGING = """
import sys, threading
from streamae import log
from streamae.watchdog import Watchdog
log.configure("info", "json", sys.stderr)
watchdog = Watchdog(0.3)
watchdog.start()
with watchdog.guard("commit"):
    threading.Event().wait()
"""


@pytest.mark.slow
def test_a_process_that_hangs_ends_with_75() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, check=False, timeout=60
    )
    assert ended.returncode == 75
    line = json.loads(ended.stderr)
    assert (line["event"], line["why"]) == ("no progress", "commit has not returned")
    assert "in wait" in line["stacks"]
