"""`streamae run`: the daemon, its signals and its log."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from streamae.config import Config, Secret
from streamae.errors import StreamaeError
from streamae.progress import progress_bar
from streamae.terminal import Terminal
from streamae.verbs.options import Verbs, add_verb, load

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_REQUESTS = (signal.SIGHUP, signal.SIGUSR1)
"""Which end a process that does not handle them."""


def add(verbs: Verbs) -> None:
    """Add the verb."""
    add_verb(verbs, "run", "score a stream, alert, repeat").set_defaults(verb=_run)


def _run(arguments: argparse.Namespace) -> int:
    # Nothing is open yet, and importing torch takes seconds.
    for each in _SIGNALS:
        signal.signal(each, lambda *_: sys.exit(0))
    for each in _REQUESTS:
        signal.signal(each, signal.SIG_IGN)
    config = load(arguments)
    from streamae import app, log

    terminal = Terminal(sys.stderr, os.environ)
    log.configure(config.log.level, config.log.format, terminal, _secrets(config))
    try:
        daemon = app.build(config, partial(load, arguments))
        _stop_on_signal(daemon.stop)
        signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
        signal.signal(signal.SIGUSR1, lambda *_: daemon.checkpoint())
        finite = config.source.kind == "file" and not config.source.follow
        with progress_bar(terminal, daemon.status) if finite else nullcontext():
            daemon.run()
    except StreamaeError as error:
        # What collects the log gets the reason in the format of the other lines.
        log.Logger(__name__).error(str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0


def _stop_on_signal(stop: Callable[[], None]) -> None:
    """Let the first signal stop in order and the second end the process at once."""

    def abort(signum: int, _: FrameType | None) -> None:
        os._exit(128 + signum)

    def stop_once(_: int, __: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, abort)
        stop()

    for each in _SIGNALS:
        signal.signal(each, stop_once)


def _secrets(config: Config) -> list[str]:
    """Return what no log line may hold; a file that cannot be read is reported by its user."""
    values = [getattr(config.kafka, name) for name in config.kafka.__struct_fields__]
    secrets: list[str] = [value for value in values if isinstance(value, Secret)]
    if config.kafka.sasl_password_file:
        with suppress(OSError, UnicodeDecodeError):
            secrets.append(Path(config.kafka.sasl_password_file).read_text("utf-8").strip())
    return secrets
