import io

import pytest

from streamae.progress import draw, progress_bar
from streamae.terminal import Terminal

STATUS = {"records": 30, "lag": 10, "records_per_second": 1234.5, "alerts": 2, "warmup": 0.5}


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_shows_what_is_read_of_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    out = Tty()
    draw(Terminal(out, {}), STATUS)
    assert "75%" in out.getvalue()
    assert "30 records · 1,234/s · 2 alerts · warm-up 50%" in out.getvalue()


def test_bar_of_an_empty_source_is_empty() -> None:
    out = Tty()
    draw(Terminal(out, {}), {**STATUS, "records": 0, "lag": 0, "warmup": 1})
    assert " 0%" in out.getvalue()
    assert "warm-up" not in out.getvalue()


def test_nothing_is_drawn_into_a_file() -> None:
    out = io.StringIO()
    with progress_bar(Terminal(out, {}), lambda: pytest.fail("asked")):
        pass
    assert out.getvalue() == ""


def test_log_lines_go_above_the_bar_and_the_bar_leaves() -> None:
    out = Tty()
    terminal = Terminal(out, {})
    with progress_bar(terminal, lambda: STATUS):
        draw(terminal, STATUS)
        terminal.write("an event\n")
        during = out.getvalue()
    assert during.index("an event") < during.rindex("75%")
    assert out.getvalue().endswith("\r\x1b[K")
