"""`streamae lint`: everything that is wrong with configuration files."""

import argparse
import os
import sys
from pathlib import Path

from streamae.config import file as configfile
from streamae.errors import ConfigError
from streamae.verbs.options import Verbs, add_overrides


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("lint", help="say everything that is wrong with files")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument(
        "-c", "--config", action="append", default=[], type=Path, metavar="FILE", help="one more"
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
            configfile.load(path, arguments.overrides, os.environ)
        except ConfigError as error:
            print(error, file=sys.stderr)
            exit_code = error.exit_code
        else:
            print(f"{path}: ok")
    return exit_code
