import io

import pytest

from streamae.terminal import Terminal, counted, duration, printable


class Screen(io.StringIO):
    """A terminal that keeps what was written."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class AsciiScreen(Screen):
    encoding = "ascii"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é 😀 'x'", "é 😀 'x'"),
        ("a\x1b[2Jb\n", "a\\x1b[2Jb\\n"),
        ("\ud800\uffff", "\\ud800\\uffff"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_counts_have_their_plural() -> None:
    found = [counted(n, "record") for n in (0, 1, 2, 1200)]
    assert found == ["0 records", "1 record", "2 records", "1,200 records"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2.31 days")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_plain_output_has_no_escapes() -> None:
    out = io.StringIO()
    terminal = Terminal(out, {"TERM": "xterm"})
    assert not terminal.live
    terminal.line(terminal.styled("alert", "red"))
    terminal.ticker("never seen")
    terminal.clear()
    assert out.getvalue() == "alert\n"


def test_plain_progress_is_a_line_per_fifth() -> None:
    out = io.StringIO()
    terminal = Terminal(out, {})
    for percent in range(101):
        terminal.progress(percent / 100, "records")
    assert out.getvalue().splitlines() == [f"{n}%  records" for n in (20, 40, 60, 80, 100)]


def test_dumb_terminal_is_plain() -> None:
    assert not Terminal(Screen(), {"TERM": "dumb"}).live


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({}, "\x1b[1;31malert\x1b[0m"),
        ({"NO_COLOR": ""}, "\x1b[1;31malert\x1b[0m"),
        ({"NO_COLOR": "1"}, "alert"),
    ],
)
def test_colour(environ: dict[str, str], shown: str) -> None:
    assert Terminal(Screen(), environ).styled("alert", "bold", "red") == shown


@pytest.mark.parametrize(
    ("ratio", "cells"), [(0, "░" * 28), (0.5, "█" * 14 + "░" * 14), (1, "█" * 28)]
)
def test_bar(ratio: float, cells: str) -> None:
    out = Screen()
    Terminal(out, {}).progress(ratio, "x")
    assert out.getvalue() == f"\r\x1b[K{ratio:>5.0%}  {cells}  x"


def test_bar_is_always_as_wide() -> None:
    for thousandth in range(1001):
        out = Screen()
        Terminal(out, {}).progress(thousandth / 1000, "")
        assert len(out.getvalue()) == len("\r\x1b[K") + 5 + 2 + 28 + 2


def test_bar_without_unicode() -> None:
    out = AsciiScreen()
    Terminal(out, {}).progress(0.5, "")
    assert f"[{'#' * 14}{' ' * 14}]" in out.getvalue()


def test_lines_go_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    out = Screen()
    terminal = Terminal(out, {})
    terminal.ticker("a text longer than the line")
    terminal.line("alert")
    terminal.clear()
    terminal.line("end")
    bar = "\r\x1b[Ka text long"
    assert out.getvalue() == f"{bar}\r\x1b[Kalert\na text long\r\x1b[Kend\n"


def test_a_kept_bar_stays() -> None:
    out = Screen()
    terminal = Terminal(out, {})
    terminal.ticker("all done")
    terminal.keep()
    terminal.line("summary")
    assert out.getvalue() == "\r\x1b[Kall done\nsummary\n"
    plain = io.StringIO()
    Terminal(plain, {}).keep()
    assert not plain.getvalue()


def test_fields_and_heading() -> None:
    out = io.StringIO()
    terminal = Terminal(out, {})
    terminal.heading("Summary")
    terminal.fields({"records": "5", "a longer name": "6"})
    assert out.getvalue().splitlines() == [
        "",
        "Summary",
        "  records        5",
        "  a longer name  6",
    ]
