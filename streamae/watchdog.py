"""Ends a process that hangs, so that a supervisor restarts it.

Three broker calls of kafka-python wait without a timeout (send offsets, commit and abort of a
transaction), and a hung broker answers none of them. The broker aborts the transaction that was
open; the restarted process continues from the last commit.
"""

import faulthandler
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import NamedTuple

from streamae.errors import TemporaryError
from streamae.log import Logger

_REPORT_S = 5.0
"""How long the report may take: a log stream that blocks may be what hangs."""

logger = Logger(__name__)


class _Call(NamedTuple):
    name: str
    since: float


class Watchdog:
    """Watches one loop from a thread of its own.

    Records that wait, or a guarded call that does not return, and no progress for `timeout_s`
    seconds: that is a hang. A loop with nothing to do is none.
    """

    def __init__(
        self,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        """Watch for `timeout_s`; `end_process` must not run clean-ups, they would hang as well."""
        self._timeout_s = timeout_s
        self._clock = clock
        self._end_process = end_process
        self._seen = self._progressed = clock()
        self._n_waiting = 0
        self._call: _Call | None = None
        self._stopped = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._stopped.clear()
        self.progress()
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def progress(self) -> None:
        """Say that work was done."""
        self._seen = self._progressed = self._clock()

    def waiting(self, n: int) -> None:
        """Say, once per turn of the loop, how many records wait for it."""
        self._seen = self._clock()
        if n == 0 or self._n_waiting == 0:
            self._progressed = self._seen
        self._n_waiting = n

    @contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """Bracket a call that may never return; returning counts as life, not as progress."""
        self._seen = self._clock()
        self._call = _Call(name, self._seen)
        try:
            yield
        finally:
            self._call = None
            self._seen = self._clock()

    def alive(self) -> bool:
        """Return whether the loop was heard of within the timeout."""
        return self._clock() - self._seen < self._timeout_s

    def hang(self) -> str | None:
        """Return what hangs, None when nothing does."""
        now, call = self._clock(), self._call
        if call is not None and now - call.since >= self._timeout_s:
            return f"{call.name} has not returned"
        if self._n_waiting and now - self._progressed >= self._timeout_s:
            return f"{self._n_waiting} records wait and none is processed"
        return None

    def check(self) -> None:
        """End the process if it hangs, after a report of what every thread is doing."""
        hang = self.hang()
        if hang is None:
            return
        report = Thread(target=self._report, args=(hang,), daemon=True)
        report.start()
        report.join(_REPORT_S)
        self._end_process(TemporaryError.exit_code)

    def _watch(self) -> None:
        # A tenth of the timeout makes the end at most a tenth late.
        while not self._stopped.wait(min(self._timeout_s / 10, 1.0)):
            self.check()

    def _report(self, hang: str) -> None:
        logger.error("no progress", why=hang, timeout_s=self._timeout_s, stacks=_stacks())


def _stacks() -> str:
    """Return where every thread is."""
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read().decode(errors="replace")
