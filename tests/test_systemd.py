"""What systemd hears on its socket, from the notifier alone and from the real daemon."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamae.systemd import Notifier
from tests.daemon import Daemon
from tests.metrics.reports import Clock
from tests.streams import values


class Supervisor:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def heard(self, timeout_s: float = 0.01) -> list[str]:
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def wait_for(self, line: str) -> list[list[str]]:
        """Return the messages up to the first one that holds `line`."""
        messages = [self.heard(timeout_s=60)]
        while line not in messages[-1]:
            assert messages[-1], f"{line} was never said"
            messages.append(self.heard(timeout_s=60))
        return messages

    def wait_for_silence(self, silence_s: float) -> None:
        while self.heard(silence_s):
            pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def systemd(path: str) -> Iterator[Supervisor]:
    supervisor = Supervisor(path)
    yield supervisor
    supervisor.close()


def test_a_start_is_extended_until_nothing_is_being_restored(
    systemd: Supervisor, path: str
) -> None:
    clock, waits = Clock(), ["in-0 is being restored"]
    notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "8000000"}, clock)
    notifier.turn(lambda: waits, lambda: "restoring")
    assert systemd.heard() == ["STATUS=restoring", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"]
    notifier.turn(lambda: waits, lambda: "restoring")
    assert systemd.heard() == []
    waits.clear()
    clock.now += 1
    notifier.turn(lambda: waits, lambda: "watching")
    assert systemd.heard() == ["STATUS=watching", "WATCHDOG=1", "READY=1"]
    clock.now += 1.9
    notifier.turn(lambda: waits, lambda: "watching")
    assert systemd.heard() == []
    clock.now += 0.1
    notifier.turn(lambda: waits, lambda: "watching")
    assert systemd.heard() == ["STATUS=watching", "WATCHDOG=1"]


def test_a_spare_member_of_the_group_is_ready_in_the_end(systemd: Supervisor, path: str) -> None:
    clock = Clock()
    notifier = Notifier({"NOTIFY_SOCKET": path}, clock)
    said = []
    for _ in range(31):
        notifier.turn(lambda: ["no partition assigned"], lambda: "")
        said += systemd.heard()
        clock.now += 1
    assert said.count("READY=1") == 1
    assert said[-1] == "READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    notifier.turn(list, lambda: "")
    notifier.stopping()


def test_abstract_address() -> None:
    supervisor = Supervisor("\0streamae-test-notify")
    Notifier({"NOTIFY_SOCKET": "@streamae-test-notify"}).stopping()
    assert supervisor.heard()[0] == "STOPPING=1"
    supervisor.close()


def test_a_watchdog_of_another_process_is_not_ours(systemd: Supervisor, path: str) -> None:
    clock = Clock()
    variables = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}
    notifier = Notifier(variables, clock)
    notifier.turn(list, lambda: "")
    clock.now += 2
    assert "READY=1" in systemd.heard()
    notifier.turn(list, lambda: "")
    assert systemd.heard() == []


def test_a_reload_is_bracketed_however_it_ends(systemd: Supervisor, path: str) -> None:
    clock = Clock()
    notifier = Notifier({"NOTIFY_SOCKET": path}, clock)
    with notifier.reloading():
        assert systemd.heard() == []  # The end of a reload must not pass for a finished start.
    notifier.turn(list, lambda: "watching")
    assert "READY=1" in systemd.heard()
    with suppress(ValueError), notifier.reloading():
        began, since, status = systemd.heard()
        assert (began, since) == ("RELOADING=1", f"MONOTONIC_USEC={int(clock.now * 1e6)}")
        assert status.startswith("STATUS=")
        raise ValueError
    assert systemd.heard() == ["READY=1"]
    notifier.turn(list, lambda: "watching")
    assert systemd.heard() == ["STATUS=watching", "WATCHDOG=1"]


@pytest.fixture
def lines() -> list[bytes]:
    return [value + b"\n" for value in values(2000)]


@pytest.fixture
def daemon(
    tmp_path: Path, path: str, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    """Return a daemon, not yet started, that follows `in.jsonl` and writes scores to its stdout."""
    settings = {
        "source": {"path": "in.jsonl", "follow": True},
        "detector": {"block_size": 64},
        "output": {"scores": "-"},
    }
    one = Daemon(tmp_path, settings)
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines))
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    yield one
    if one.alive:
        one.kill()


@pytest.mark.slow
def test_the_daemon_is_ready_when_its_state_is_what_it_was(
    systemd: Supervisor, daemon: Daemon, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = daemon.directory / "in.jsonl"
    source.write_bytes(b"".join(lines[:100]))
    monkeypatch.setenv("STREAMAE_SOURCE__FOLLOW", "false")
    assert daemon.start().wait() == 0  # Its state is that of line 64, its outputs go to line 100.
    systemd.wait_for_silence(0.01)

    # What it has to learn again is not all there yet.
    source.write_bytes(b"".join(lines[:80]))
    monkeypatch.setenv("STREAMAE_SOURCE__FOLLOW", "true")
    daemon.start()
    for _ in range(3):
        status, *rest = systemd.heard(timeout_s=60)
        assert status.startswith("STATUS=")
        assert rest == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"]
    assert not daemon.ready
    with source.open("ab") as file:
        file.writelines(lines[80:])
    *_, last = systemd.wait_for("READY=1")
    assert "WATCHDOG=1" in last
    assert daemon.ready

    daemon.send(signal.SIGHUP)
    *_, (_, since, _) = systemd.wait_for("RELOADING=1")
    assert int(since.removeprefix("MONOTONIC_USEC=")) <= time.monotonic() * 1e6
    systemd.wait_for("READY=1")


@pytest.mark.slow
def test_the_watchdog_starves_while_the_loop_hangs(systemd: Supervisor, daemon: Daemon) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    daemon.start(stdout=writer)
    os.close(writer)
    systemd.wait_for("READY=1")
    systemd.wait_for_silence(2.0)  # Twenty times what is between two messages.
    assert daemon.get("/livez")  # The other threads go on, and say nothing to systemd.
    assert systemd.heard(timeout_s=1.0) == []

    with subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.DEVNULL):
        os.close(reader)
        *_, (status, alive) = systemd.wait_for("WATCHDOG=1")
        assert alive == "WATCHDOG=1"
        assert re.fullmatch(r"STATUS=[\d,]+ records read, \d+ waiting, .*warm-up \d+%", status)
        daemon.send(signal.SIGTERM)
        systemd.wait_for("STOPPING=1")
        assert daemon.wait() == 0
