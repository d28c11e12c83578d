"""A progress bar below the log, while a finite source is read on a terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from streamae.terminal import Terminal, counted

_REDRAW_S = 0.2


@contextmanager
def progress_bar(terminal: Terminal, status: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Redraw a bar from `status` while the block of code inside runs, if `terminal` is live."""
    if not terminal.live:
        yield
        return
    done = Event()

    def redraw() -> None:
        while not done.wait(_REDRAW_S):
            draw(terminal, status())

    thread = Thread(target=redraw, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        terminal.clear()


def draw(terminal: Terminal, status: Mapping[str, Any]) -> None:
    """Draw what was read of what is there, the rest estimated by the source."""
    total = status["records"] + status["lag"]
    text = (
        f"{status['records']:,} records · {status['records_per_second']:,.0f}/s"
        f" · {counted(status['alerts'], 'alert')}"
    )
    if status["warmup"] < 1:
        text += f" · warm-up {status['warmup']:.0%}"
    terminal.progress(status["records"] / total if total else 0.0, text)
