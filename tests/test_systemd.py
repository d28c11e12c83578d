"""What systemd hears on its socket, from the notifier alone and from the real daemon."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamae.systemd import Notifier
from tests.daemon import Daemon
from tests.metrics.reports import Clock


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

    def wait_for(self, line: str) -> list[str]:
        while line not in (message := self.heard(timeout_s=60)):
            assert message, f"{line} was never said"
        return message

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


@pytest.mark.slow
def test_the_daemon_says_that_it_is_ready_alive_and_stopping(
    systemd: Supervisor, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    daemon = Daemon(tmp_path, {"source": {"kind": "host", "interval": "100ms"}}).start()
    systemd.wait_for("READY=1")
    status, _ = systemd.wait_for("WATCHDOG=1")
    assert status.startswith("STATUS=")
    assert status.endswith("waiting, 0 alerts, warm-up 0%")
    daemon.send(15)
    systemd.wait_for("STOPPING=1")
    assert daemon.wait() == 0
