"""`streamae lint`: everything that is wrong with configuration files."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from streamae.config import Config, HttpConfig
from streamae.config import file as configfile
from streamae.errors import ConfigError
from streamae.verbs.options import Verbs, add_overrides

_ANSWER_S = 5.0
"""An answer takes milliseconds, whatever the loop does."""


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("lint", help="say everything that is wrong with files")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument(
        "-c", "--config", action="append", default=[], type=Path, metavar="FILE", help="one more"
    )
    parser.add_argument(
        "--running",
        action="store_true",
        help="ask the daemon at http.port too, what of the file takes more than a reload",
    )
    add_overrides(parser)
    parser.set_defaults(verb=_lint, refuse=parser.error)


def _lint(arguments: argparse.Namespace) -> int:
    paths = [*arguments.config, *arguments.files]
    if not paths:
        arguments.refuse("name at least one file")
    exit_code = 0
    for path in paths:
        try:
            config = configfile.load(path, arguments.overrides, os.environ)
            if arguments.running:
                _compare(config)
        except ConfigError as error:
            print(error, file=sys.stderr)
            exit_code = error.exit_code
        else:
            print(f"{path}: ok")
    return exit_code


def _compare(config: Config) -> None:
    """Raise `ConfigError` where the running daemon cannot change to `config` by a reload."""
    from streamae.reload import compare

    if config.http.enabled and config.http.port:  # Else nobody knows where to ask.
        compare(_running(config.http), config)


def _running(config: HttpConfig) -> Any:
    """Return what the daemon shows of its configuration; raise `ConfigError` if there is none."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(config.host, config.port, timeout=_ANSWER_S)
    try:
        connection.request("GET", "/config")
        return json.load(connection.getresponse())
    except (OSError, HTTPException, ValueError) as error:
        raise ConfigError(
            f"http.port: no daemon answers at {config.host}:{config.port} ({error}): is it"
            " running, and with this address?"
        ) from error
    finally:
        connection.close()
