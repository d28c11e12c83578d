"""The composition root: from a configuration to a running daemon and back."""

import gc
import os
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from streamae import __version__, detector, http
from streamae.config import Config
from streamae.decode import Reason
from streamae.errors import ConfigError
from streamae.local import (
    DirectoryStore,
    FileLabels,
    FileSink,
    FileSource,
    HostSource,
    named,
    snapshot_directory,
)
from streamae.log import Logger
from streamae.metrics import Metrics, Status
from streamae.observer import Observer
from streamae.reload import Reloader, config_hash
from streamae.systemd import Notifier
from streamae.types import LabelLog, Sink, Source
from streamae.watchdog import Watchdog
from streamae.worker import Worker

log = Logger(__name__)

NEW_OBJECTS = 50_000
"""Between two looks for cycles of garbage. Records and outputs are in none, and are 20,000 at once:
a look every 700 objects, as by default, takes up to 8 % of the CPU time and finds next to none."""


class App:
    """One daemon. `run` blocks; `stop` may be called from a signal handler or another thread."""

    def __init__(self, config: Config, load: Callable[[], Config] | None = None) -> None:
        """`load` reads the configuration again for a reload; without it, it is the same one."""
        self.config = config
        self.device = device(config)
        self.registry = CollectorRegistry()
        metrics = Metrics(
            self.registry,
            reasons=[reason.value for reason in Reason],
            gpu_memory=partial(detector.device_memory, self.device),
            max_features=config.http.max_feature_labels,
        )
        torch = metadata.version("torch")
        metrics.build(__version__, torch, self.device, config_hash(config))
        self._status = Status(metrics)
        self._reloader = Reloader(config, load or (lambda: config), metrics)
        self._watchdog = Watchdog(config.watchdog_timeout)
        self._notifier = Notifier(os.environ)
        self._observer = Observer(metrics, self._status, self._watchdog, time.time, self._turned)
        self._stopped = threading.Event()
        self._worker: Worker | None = None
        self.server = http.Server(config.http, self.registry, self._views())

    def run(self) -> None:
        """Start everything, work until the source ends or `stop` is called, release everything.

        Raise a `StreamaeError` for everything that ends the work otherwise.
        """
        config = self.config
        detector.set_threads(config.detector.threads)
        with ExitStack() as cleanups:
            if config.http.enabled:
                self.server.start()
                cleanups.callback(self.server.stop)
            self._watchdog.start()
            cleanups.callback(self._watchdog.stop)
            source, sink = connect(config, cleanups)
            # What is loaded by now stays. A full collection would walk through it, 140 ms each
            # 50,000 records or so.
            gc.freeze()
            cleanups.callback(gc.unfreeze)
            cleanups.callback(gc.set_threshold, *gc.get_threshold())
            gc.set_threshold(NEW_OBJECTS)
            labels = open_labels(config, cleanups)
            self._worker = Worker(config, source, sink, self._observer, time.monotonic, labels)
            log.info("started", name=config.name, version=__version__, source=_origin(config))
            self._worker.run(self._stopped, self._reload)
        log.info("stopped", **self.summary())

    def stop(self) -> None:
        """Finish the records in hand, commit, and let `run` return."""
        self._stopped.set()
        self._notifier.stopping()

    def reload(self) -> Future[list[str]]:
        """Have the loop read the configuration again; the result is the keys that it changed.

        Its exception is the `ConfigError` that left the configuration as it was.
        """
        return self._reloader.ask()

    def checkpoint(self) -> None:
        """Have the loop commit at once, with snapshots; its first commit has them anyway."""
        if self._worker is not None:
            self._worker.checkpoint()

    def status(self) -> dict[str, Any]:
        """Return what /status shows."""
        return self._status.document()

    @property
    def address(self) -> str:
        """Where the status page is while `run` runs."""
        return self.server.url

    def version(self) -> dict[str, Any]:
        """Return what runs."""
        return {
            "name": self.config.name,
            "streamae": __version__,
            "python": platform.python_version(),
            "torch": metadata.version("torch"),
            "device": self.device,
        }

    def summary(self) -> dict[str, Any]:
        """Return the totals of this run."""
        document = self.status()
        return {key: document[key] for key in ("records", "invalid", "flagged", "alerts")}

    def _views(self) -> http.Views:
        return http.Views(
            status=self.status,
            chart=self._status.chart,
            alerts=self._status.alerts,
            alive=self._watchdog.alive,
            unready=self._unready,
            version=self.version(),
            config=self._reloader.shown,
            reload=self.reload if self.config.http.reload else None,
        )

    def _reload(self) -> Config | None:
        if not self._reloader.asked:
            return None
        with self._notifier.reloading():
            return self._reloader.answer()

    def _turned(self) -> None:
        self._notifier.turn(self._unready, self._status.line)

    def _unready(self) -> list[str]:
        if self._worker is None:
            return ["not connected"]
        return self._worker.unready


def build(config: Config, load: Callable[[], Config] | None = None) -> App:
    """Return the daemon that `config` describes, `load` for reloads; nothing is opened yet."""
    return App(config, load)


def connect(config: Config, cleanups: ExitStack) -> tuple[Source, Sink]:
    """Open the source and the sink; closing them is pushed on `cleanups`."""
    source: Source
    sink: Sink
    if config.source.kind == "kafka":
        from streamae import kafka  # noqa: PLC0415 - the embedded mode needs no Kafka client.

        source, sink = kafka.connect(config, snapshot_directory(config))
        cleanups.callback(source.close)
        cleanups.callback(sink.close)
        return source, sink
    directory = Path(config.state.directory)
    store = DirectoryStore(directory, config.state.keep)
    path = config.source.path if config.source.kind == "file" else None
    sink = FileSink(config.output, directory, store, path)
    cleanups.callback(sink.close)
    source = (
        HostSource(config.source) if config.source.kind == "host" else FileSource(config.source)
    )
    cleanups.callback(source.close)
    return source, sink


def open_labels(config: Config, cleanups: ExitStack) -> LabelLog | None:
    """Open the labels log, if there is one; closing it is pushed on `cleanups`."""
    name = config.labels.source
    if name is None:
        return None
    log: LabelLog
    if config.source.kind == "kafka":
        from streamae import kafka  # noqa: PLC0415 - see `connect`.

        log = kafka.KafkaLabels(config, name)
    else:
        log = FileLabels(name, follow=config.source.follow)
    cleanups.callback(log.close)
    return log


def device(config: Config) -> str:
    """Return the device that the model computes on; raise `ConfigError` when there is none such."""
    try:
        return detector.resolve_device(config.detector.device)
    except ValueError as error:
        raise ConfigError(f"detector.device: {error}") from error


def _origin(config: Config) -> str:
    source = config.source
    if source.kind == "kafka":
        return f"kafka {','.join(source.topics)}"
    if source.kind == "host":
        return "this host"
    return named(source.path)
