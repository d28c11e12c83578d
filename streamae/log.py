"""Structured logging: an event name and fields, as one JSON object a line or as readable text.

    logger = Logger(__name__)
    logger.info("snapshot committed", partition=str(partition), n_bytes=81_920)

Third-party records pass through the same formatter. Known secrets are replaced in the finished
line, so neither an exception text nor a client library's log can carry one out.
"""

import json
import logging
import math
import os
import re
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

Level = Literal["debug", "info", "warning", "error"]

_FIELDS = "streamae_fields"
_SAME_S = 60.0
"""kafka-python says ten times a second that no broker answers, for as long as none does."""
_MANY = 1000
_NUMBER = re.compile(r"(0x)?\d[\da-f]*")
_RESET = "\x1b[0m"
_COLOURS: Mapping[int, str] = {
    logging.DEBUG: "\x1b[2m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[31m",
}


class Logger:
    """Events of one module, with fields instead of sentences."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Log an error with the exception being handled."""
        self._log(logging.ERROR, event, fields, exc_info=True)

    def _log(
        self, level: int, event: str, fields: Mapping[str, Any], *, exc_info: bool = False
    ) -> None:
        # The event goes in as an argument, so that a percent sign in it stays one.
        self._logger.log(level, "%s", event, extra={_FIELDS: fields}, exc_info=exc_info)


class Redaction:
    """The secrets that must not appear, in every spelling a log line may give them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Replace `secrets` from now on."""
        for secret in filter(None, secrets):
            # Escaped twice when a value that was shown by `repr` ends up in a JSON line.
            for spelling in _spellings(secret):
                self._spellings |= _spellings(spelling)
        longest_first = sorted(self._spellings, key=len, reverse=True)
        if longest_first:
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        return self._pattern.sub("[redacted]", text) if self._pattern else text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, event, then the fields."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": _timestamp(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, value in getattr(record, _FIELDS, {}).items():
            line[f"{name}_" if name in line else name] = value
        if trace := _trace(record):
            line["exception"] = trace
        return self._redaction(_encode(line))


class TextFormatter(logging.Formatter):
    """For people: time (UTC), level, event, fields; coloured on a terminal."""

    def __init__(self, redaction: Redaction, *, coloured: bool) -> None:
        super().__init__()
        self._redaction = redaction
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, _FIELDS, {}).items()
        words = [
            f"{_timestamp(record):%H:%M:%S}",
            f"{record.levelname.lower():<7}",
            record.getMessage(),
            *(f"{name}={_shown(value)}" for name, value in fields),
        ]
        colour = _COLOURS.get(record.levelno) if self._coloured else None
        text = " ".join(words)
        text = f"{colour}{text}{_RESET}" if colour else text
        return self._redaction("\n".join(filter(None, [text, _trace(record)])))


class Stream(Protocol):
    """Where log lines go; every write is one or more whole lines."""

    def write(self, text: str, /) -> int: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class _Repeats(logging.Filter):
    """Lets the Kafka client say the same once a minute, whatever the numbers in it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write `record`; one that is written counts what was left out."""
        if not record.name.startswith("kafka."):
            return True
        key = record.name, _NUMBER.sub("#", record.getMessage())
        when, left_out = self._said.get(key, (-math.inf, 0))
        if record.created - when < _SAME_S:
            self._said[key] = when, left_out + 1
            return False
        if len(self._said) >= _MANY:
            self._said.clear()
        self._said[key] = record.created, 0
        if left_out:
            setattr(record, _FIELDS, {"repeated": left_out})
        return True


class _Handler(logging.StreamHandler[Any]):
    """Ours, so that configuring twice replaces it and leaves the handlers of others alone."""


def configure(
    level: Level,
    style: Literal["auto", "json", "text"],
    stream: Stream,
    secrets: Iterable[str] = (),
) -> Redaction:
    """Send all logging to `stream`; `auto` means text on a terminal, else JSON.

    The Kafka client is heard from warnings on, once a minute with the same. Return the redaction,
    for secrets found later.
    """
    redaction = Redaction(secrets)
    terminal = stream.isatty()
    handler = _Handler(stream)
    handler.addFilter(_Repeats())
    if style == "json" or (style == "auto" and not terminal):
        handler.setFormatter(JsonFormatter(redaction))
    else:
        coloured = terminal and "NO_COLOR" not in os.environ
        handler.setFormatter(TextFormatter(redaction, coloured=coloured))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    set_level(level)
    logging.captureWarnings(capture=True)
    return redaction


def set_level(level: Level) -> None:
    """Log from this severity on."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    logging.getLogger("kafka").setLevel(max(root.level, logging.WARNING))


def _spellings(text: str) -> set[str]:
    """Return `text` as it is and as Python and JSON escape it."""
    as_json = {json.dumps(text, ensure_ascii=only)[1:-1] for only in (True, False)}
    return {text, str.__repr__(text)[1:-1], repr(text.encode())[2:-1]} | as_json


def _timestamp(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1])).rstrip()


def _encode(line: Mapping[str, Any]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=_plain).decode()
    except (TypeError, ValueError):  # Lone surrogates, or keys JSON does not have.
        return json.dumps({name: ascii(value) for name, value in line.items()})


def _plain(value: object) -> object:
    """Turn numpy's scalars into Python's, and whatever else JSON lacks into text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _shown(value: object) -> str:
    """Quote what would not be read back as one word on one line."""
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value))
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    one_word = text.isprintable() and not set(text) & {" ", '"', "="}
    return text if text and one_word else json.dumps(text, ensure_ascii=False)
