"""Text for people: counts, durations, tables; and a terminal with a progress bar at its end."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Literal, TextIO

Style = Literal["bold", "dim", "red", "yellow", "green", "cyan"]

_CODES: Mapping[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "yellow": "33",
    "green": "32",
    "cyan": "36",
}
_EIGHTHS = " ▏▎▍▌▋▊▉"
_CLEAR_LINE = "\r\x1b[K"
_BAR_CELLS = 28
_NAME_WIDTH = 11
_PLAIN_LINES = 5
"""Progress lines of a whole run where nothing can be redrawn, one per fifth."""


def printable(text: str) -> str:
    """Return text of anybody's with what would move a cursor, or not print, written as escapes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def counted(n: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless it is 1."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that it is two or more of."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines of aligned columns, the header first."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


class Terminal:
    """Writes to `out`; colours follow NO_COLOR (no-color.org) and TERM."""

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self.live = out.isatty() and environ.get("TERM") != "dumb"
        self._colour = self.live and not environ.get("NO_COLOR")
        self._blocks = (out.encoding or "").lower().startswith("utf")
        self._out = out
        self._bar = ""
        self._fifths = 0
        self._lock = Lock()

    def line(self, text: str = "") -> None:
        """Write one line, above the progress bar when there is one."""
        with self._lock:
            self._out.write(f"{_CLEAR_LINE if self._bar else ''}{text}\n{self._bar}")
            self._out.flush()

    def write(self, text: str) -> int:
        """Write whole lines, as a log handler does."""
        self.line(text.removesuffix("\n"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: every line is flushed."""

    def isatty(self) -> bool:
        """Return whether lines are read by a person."""
        return self._out.isatty()

    def heading(self, text: str) -> None:
        """Write a heading with an empty line before it."""
        self.line()
        self.line(self.styled(text, "bold"))

    def fields(self, values: Mapping[str, str]) -> None:
        """Write names and values as two columns."""
        width = max(_NAME_WIDTH, *map(len, values))
        for name, value in values.items():
            self.line(f"  {self.styled(name.ljust(width), 'dim')}  {value}")

    def progress(self, ratio: float, text: str) -> None:
        """Redraw the bar at `ratio`, 0 to 1; without a terminal write a line per fifth."""
        if self.live:
            self._redraw(f"{ratio:>5.0%}  {self._cells(ratio)}  {text}")
        elif int(ratio * _PLAIN_LINES) > self._fifths:
            self._fifths = int(ratio * _PLAIN_LINES)
            self.line(f"{ratio:.0%}  {text}")

    def ticker(self, text: str) -> None:
        """Redraw a line that stays at the bottom; without a terminal write nothing."""
        if self.live:
            self._redraw(text)

    def keep(self) -> None:
        """Leave the bar where it is and go on below it."""
        with self._lock:
            if self._bar:
                self._out.write("\n")
            self._bar = ""

    def clear(self) -> None:
        """Remove the bar."""
        with self._lock:
            if self._bar:
                self._out.write(_CLEAR_LINE)
                self._out.flush()
            self._bar = ""

    def styled(self, text: str, *styles: Style) -> str:
        """Return `text` in colour where colours are shown."""
        if not self._colour:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def _redraw(self, text: str) -> None:
        # A bar that wraps could not be cleared again.
        width = shutil.get_terminal_size().columns - 1
        with self._lock:
            self._bar = text[:width]
            self._out.write(f"{_CLEAR_LINE}{self._bar}")
            self._out.flush()

    def _cells(self, ratio: float) -> str:
        eighths = round(ratio * _BAR_CELLS * 8)
        if not self._blocks:
            return f"[{'#' * (eighths // 8):<{_BAR_CELLS}}]"
        full, part = divmod(eighths, 8)
        return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(_BAR_CELLS, "░")
