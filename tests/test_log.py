"""Lines that machines and people can read, and that give no secret away."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamae import log
from streamae.config import Secret


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Leave the process-wide logging tree as pytest had it."""
    root, kafka = logging.getLogger(), logging.getLogger("kafka")
    before = root.level, kafka.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    kafka.setLevel(before[1])
    root.handlers[:] = before[2]
    logging.captureWarnings(capture=False)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def raise_from_depth(secret: str = "") -> None:
    message = "no such thing: " + secret
    raise LookupError(message)


def test_json_line(stream: io.StringIO) -> None:
    log.configure("info", "json", stream)
    log.Logger("streamae.worker").info("100% restored", partition="in-0", n=3, share=0.5)
    (line,) = lines(stream)
    assert str(line.pop("ts")).endswith("Z")
    assert line == {
        "level": "info",
        "logger": "streamae.worker",
        "event": "100% restored",
        "partition": "in-0",
        "n": 3,
        "share": 0.5,
    }


def test_json_time_is_utc(stream: io.StringIO) -> None:
    log.configure("info", "json", stream)
    record = logging.LogRecord("x", logging.INFO, "", 0, "e", None, None)
    record.created = 1_700_000_000.25
    logging.getLogger().handle(record)
    assert lines(stream)[0]["ts"] == "2023-11-14T22:13:20.250Z"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (Path("/tmp/x"), "/tmp/x"),  # noqa: S108
        ("two\nlines", "two\nlines"),
        ({"a": [1, None]}, {"a": [1, None]}),
    ],
)
def test_json_values(stream: io.StringIO, value: object, shown: object) -> None:
    log.configure("info", "json", stream)
    log.Logger("x").info("e", value=value)
    assert lines(stream)[0]["value"] == shown


def test_json_survives_what_it_cannot_encode(stream: io.StringIO) -> None:
    log.configure("info", "json", stream)
    log.Logger("x").info("e", surrogate="\udc80", keys={(1, 2): 3})
    assert lines(stream)[0]["event"] == "'e'"


def test_fields_do_not_replace_the_frame(stream: io.StringIO) -> None:
    log.configure("info", "json", stream)
    log.Logger("x").info("e", level=9, ts=8)
    (line,) = lines(stream)
    assert (line["level"], line["level_"], line["ts_"]) == ("info", 9, 8)


@pytest.mark.parametrize("style", ["json", "text"])
def test_exception(stream: io.StringIO, style: str) -> None:
    log.configure("info", style, stream)
    try:
        raise_from_depth()
    except LookupError:
        log.Logger("x").exception("commit failed", attempt=2)
    written = stream.getvalue()
    assert "raise_from_depth" in written
    assert "LookupError: no such thing" in written
    if style == "json":
        (line,) = lines(stream)
        assert (line["event"], line["level"], line["attempt"]) == ("commit failed", "error", 2)


def test_text_line(stream: io.StringIO) -> None:
    log.configure("info", "text", stream)
    log.Logger("x").info(
        "restored", n=3, loss=0.123456789, why="a b", empty="", lines="a\nb", few=["f1", "f 2"]
    )
    time, rest = stream.getvalue().split(" ", 1)
    assert len(time) == len("12:34:56")
    assert (
        rest == 'info    restored n=3 loss=0.123457 why="a b" empty="" lines="a\\nb" few=f1,"f 2"\n'
    )


@pytest.mark.parametrize(
    ("stream", "no_color", "start"),
    [(Terminal(), False, "\x1b[33m"), (Terminal(), True, ""), (io.StringIO(), False, "{")],
)
def test_auto(
    stream: io.StringIO, no_color: bool, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    log.configure("info", "auto", stream)
    log.Logger("x").warning("careful")
    assert stream.getvalue().startswith(start)
    assert ("\x1b" in stream.getvalue()) == (start == "\x1b[33m")
    assert "careful" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level(stream: io.StringIO, level: str, heard: list[str]) -> None:
    log.configure(level, "json", stream)
    logger = log.Logger("x")
    logger.debug("e")
    logger.info("e")
    logger.warning("e")
    logger.error("e")
    assert [line["level"] for line in lines(stream)] == heard


@pytest.mark.parametrize(("level", "heard"), [("debug", 1), ("info", 1), ("error", 0)])
def test_kafka_is_heard_from_warnings_on(stream: io.StringIO, level: str, heard: int) -> None:
    log.configure(level, "json", stream)
    logging.getLogger("kafka.consumer").info("joined")
    logging.getLogger("kafka.consumer").warning("left %s", "group")
    assert [line["event"] for line in lines(stream)] == ["left group"] * heard


def test_the_kafka_client_says_the_same_once_a_minute(stream: io.StringIO) -> None:
    log.configure("info", "json", stream)
    logger = logging.getLogger("kafka.net")
    for second in range(0, 70, 5):
        for text in (f"node {second % 10} failed at 0x7f{second:02x}", "no node"):
            record = logger.makeRecord(logger.name, logging.WARNING, "", 0, text, (), None)
            record.created = float(second)
            logger.handle(record)
    said = lines(stream)
    assert [str(line["event"])[:7] for line in said] == ["node 0 ", "no node"] * 2
    assert [line.get("repeated") for line in said] == [None, None, 11, 11]


def test_configuring_twice_writes_once(stream: io.StringIO) -> None:
    theirs = logging.NullHandler()
    logging.getLogger().addHandler(theirs)
    log.configure("info", "json", io.StringIO())
    log.configure("info", "json", stream)
    log.Logger("x").info("e")
    assert len(lines(stream)) == 1
    assert theirs in logging.getLogger().handlers


SECRETS = ["hunter2", 'pa"ss\\word', "geheim-äöü", "line\nbreak", "a.b*c"]


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_replaced_everywhere(stream: io.StringIO, style: str, secret: str) -> None:
    log.configure("info", style, stream, map(Secret, SECRETS))
    logger = log.Logger("x")
    event = f"connecting with {secret}"
    logger.info(event, field=secret, deep={"password": [secret]})
    logging.getLogger("kafka.sasl").warning("token %r rejected, sent %r", secret, secret.encode())
    try:
        raise_from_depth(secret)
    except LookupError:
        logger.exception("failed")
    written = stream.getvalue()
    spellings = [secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(secret.encode())[2:-1]]
    assert not [spelling for spelling in spellings if spelling in written]
    assert written.count("[redacted]") == 6


def test_longest_secret_first(stream: io.StringIO) -> None:
    log.configure("info", "text", stream, ["abc", "abcdef"])
    log.Logger("x").info("e", value="abcdef")
    assert stream.getvalue().endswith("value=[redacted]\n")


def test_secrets_found_later(stream: io.StringIO) -> None:
    redaction = log.configure("info", "text", stream, ["", "first"])
    redaction.add(["second"])
    log.Logger("x").info("e", values="first,second,third")
    assert stream.getvalue().endswith("values=[redacted],[redacted],third\n")
