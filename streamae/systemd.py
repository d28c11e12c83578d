"""Tells systemd how the daemon is: the protocol of sd_notify(3), one datagram per message.

Outside systemd, which names its socket in NOTIFY_SOCKET, nothing is sent.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

_STARTING_S = 1.0
"""Between two signs of life before readiness."""

_RUNNING_S = 5.0
"""Between two after it: `systemctl status` is read by people."""

_EXTENSION_S = 60
"""What a start may take from one sign of life to the next: loading a large snapshot, say."""

_STANDBY_S = 30.0
"""A member of the group that has no partition by now is a spare one, and as ready as it gets."""


class Notifier:
    """Called from the loop alone: a loop that hangs is what the watchdog has to find out."""

    def __init__(
        self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the socket and the watchdog's patience from systemd's variables."""
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the null byte of an abstract address.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        mine = environ.get("WATCHDOG_PID") in {None, str(os.getpid())}
        watchdog = environ.get("WATCHDOG_USEC", "") if mine else ""
        # systemd asks for a sign at half its patience; a quarter survives a missed one.
        patience_s = int(watchdog) / 4e6 if watchdog.isdecimal() else _RUNNING_S
        self._running_s = min(patience_s, _RUNNING_S)
        self._clock = clock
        self._started: float | None = None
        self._due = 0.0
        self._ready = False

    def turn(self, unready: Callable[[], object], status: Callable[[], str]) -> None:
        """Say, when it is time to, that the loop turns, and once that the daemon is ready.

        `unready` gives something true as long as records cannot be processed; `status` is a line
        for people.
        """
        now = self._clock()
        if not self._address or (self._started is not None and now < self._due):
            return
        self._started = now if self._started is None else self._started
        message = [f"STATUS={status()}", "WATCHDOG=1"]
        if not self._ready:
            self._ready = not unready() or now - self._started >= _STANDBY_S
            extended = f"EXTEND_TIMEOUT_USEC={_EXTENSION_S * 1_000_000}"
            message.append("READY=1" if self._ready else extended)
        self._due = now + (self._running_s if self._ready else _STARTING_S)
        self._send(message)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Bracket a reload of the configuration, which `systemctl reload` waits for.

        Its end is told however it went; before readiness nothing is, for the end would claim it.
        """
        if not self._ready:
            yield
            return
        # systemd tells this reload from an earlier one by CLOCK_MONOTONIC.
        since = f"MONOTONIC_USEC={int(self._clock() * 1_000_000)}"
        self._send(["RELOADING=1", since, "STATUS=Reading the configuration again"])
        try:
            yield
        finally:
            self._send(["READY=1"])
            self._due = 0.0  # The next turn puts the usual status back.

    def stopping(self) -> None:
        """Say that a stop was asked for and is under way."""
        self._send(["STOPPING=1", "STATUS=Committing what is in hand"])

    def _send(self, lines: list[str]) -> None:
        if not self._address:
            return
        # A supervisor that went away or does not read must not hold up or end the daemon.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)
