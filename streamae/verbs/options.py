"""What several verbs share: the configuration's options, values that options take, exit code 1."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from streamae.config import Config
from streamae.config import file as configfile

FINDINGS = 1
"""Exit code when something is not as it should be."""

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - unnamed.
"""What `add_subparsers` returns; verbs are added to it."""


def add_verb(verbs: Verbs, name: str, about: str) -> argparse.ArgumentParser:
    """Add a verb that works from a configuration, and return its parser."""
    parser = verbs.add_parser(name, help=about)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="default: all defaults")
    add_overrides(parser)
    return parser


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Let single keys be set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override a key, as in --set source.kind=kafka; may be repeated",
    )


def load(arguments: argparse.Namespace) -> Config:
    """Return the configuration of a verb added by `add_verb`; raise `ConfigError`."""
    return configfile.load(arguments.config, arguments.overrides, os.environ)


def use_machine(config: Config) -> None:
    """Compute on the threads and the device chosen; raise `ConfigError` when there is none such."""
    from streamae import app, detector

    detector.set_threads(config.detector.threads)
    app.device(config)


def add_range(parser: argparse.ArgumentParser) -> None:
    """Let a part of the input be chosen, as `start`, `end` and `partition`."""
    place = "an offset, or a time such as 2026-03-01T12:00Z"
    parser.add_argument(
        "--from", dest="start", type=moment, metavar="PLACE", help=f"first record: {place}"
    )
    parser.add_argument(
        "--to", dest="end", type=moment, metavar="PLACE", help=f"behind the last record: {place}"
    )
    parser.add_argument("--partition", type=int, metavar="N", help="this one only; default: all")


def positive(text: str) -> int:
    """Return a whole number above 0 as an option's type does."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return int(text)


def moment(text: str) -> int | datetime:
    """Return an offset or a time as an option's type does; a time without a zone is UTC."""
    if text.isdecimal():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"is neither an offset nor a time: {text!r}") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
