"""The demo: the real daemon on real data, with files instead of Kafka, told in words."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

from streamae import log
from streamae.demo import live, shuttle
from streamae.demo.session import LOG
from streamae.errors import ConfigError, StorageError, why
from streamae.terminal import Terminal

Feed = Literal["shuttle", "host"]


def run(feed: Feed, directory: Path | None) -> int:
    """Run a demo to its end, or until Ctrl-C, and return the exit code.

    Everything is written to `directory`, by default a new one for temporary files. `host` goes on
    with what it learnt there before; `shuttle` raises `ConfigError` unless the directory is empty.
    """
    if directory is None:
        directory = Path(tempfile.mkdtemp(prefix="streamae-demo-"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write to {directory}: {why(error)}") from error
    if feed == "shuttle" and any(directory.iterdir()):
        raise ConfigError(f"{directory} is not empty: name a new directory, or none")
    demo = shuttle.run if feed == "shuttle" else live.run
    terminal = Terminal(sys.stdout, os.environ)
    with (directory / LOG).open("a", encoding="utf-8") as file:
        log.configure("info", "text", file)
        try:
            demo(directory.absolute(), terminal)
        finally:
            terminal.clear()
            log.configure("info", "auto", sys.stderr)
    return 0
