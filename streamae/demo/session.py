"""One run of the daemon in a directory of its own, watched from outside."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import msgspec
import yaml

from streamae import app
from streamae.config import Config
from streamae.config import file as configfile
from streamae.records import Event

SETTINGS = "demo.yaml"
ALERTS = "alerts.jsonl"
SCORES = "scores.jsonl"
DEAD_LETTERS = "dead-letters.jsonl"
STATE = "state"
LOG = "daemon.log"

_REDRAW_S = 0.1
_OPENING_S = 0.01


class Session:
    """The daemon as `streamae run -c demo.yaml` starts it, but in a thread.

    The main thread stays free to draw, and to stop the daemon in order at Ctrl-C.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        """Write `settings` and where everything goes to `directory`, and build the daemon."""
        self.directory = directory
        self.config = _configure(directory, settings)
        self._app = app.build(self.config)
        self._alerts = directory / ALERTS
        self._alerts_read = self._alerts.stat().st_size if self._alerts.exists() else 0
        self.seconds = 0.0
        """What the run took."""

    def run(self, opened: Callable[[str], None], watch: Callable[[dict[str, Any]], None]) -> None:
        """Run until the input ends or Ctrl-C.

        Meanwhile call `opened` once with the address of the status page, and `watch` with the
        status again and again, the last time at the end.
        """
        started = time.perf_counter()
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(self._app.run)
            try:
                self._wait_until_open(running)
                opened(self._app.address)
                while not wait([running], timeout=_REDRAW_S).done:
                    watch(self._app.status())
            except KeyboardInterrupt:
                pass
            finally:
                self._app.stop()
            running.result()
        self.seconds = time.perf_counter() - started
        watch(self._app.status())

    def _wait_until_open(self, running: Future[None]) -> None:
        while not self._app.server.port and not running.done():
            wait([running], timeout=_OPENING_S)

    def new_alerts(self) -> list[Event]:
        """Return the alerts committed since the last call."""
        with self._alerts.open("rb") as file:
            file.seek(self._alerts_read)
            written = file.read()
        complete = written[: written.rfind(b"\n") + 1]
        self._alerts_read += len(complete)
        return [msgspec.json.decode(line, type=Event) for line in complete.splitlines()]


def _configure(directory: Path, settings: Mapping[str, Any]) -> Config:
    places = {
        "output": {
            "alerts": str(directory / ALERTS),
            "scores": str(directory / SCORES),
            "dead_letters": str(directory / DEAD_LETTERS),
        },
        "state": {"directory": str(directory / STATE)},
    }
    path = directory / SETTINGS
    path.write_text(yaml.safe_dump({**settings, **places}, sort_keys=False))
    # Any free port, so that the demo runs beside a daemon.
    return configfile.load(path, ("http.port=0",), {})
