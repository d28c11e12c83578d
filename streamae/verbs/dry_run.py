"""`streamae dry-run`: whether a run would work, and what it would do."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping

from streamae.check import Check
from streamae.errors import StreamaeError
from streamae.terminal import Style, Terminal
from streamae.verbs.options import Verbs, add_verb, load, positive

FINDINGS = 1
"""Exit code when something would not work."""

SAMPLE = 10_000

COLOURS: Mapping[str, Style] = {"ok": "green", "warn": "yellow", "fail": "red"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "dry-run", "check all that a run needs and show what it would do")
    parser.add_argument(
        "--records",
        type=positive,
        default=SAMPLE,
        metavar="N",
        help=f"records to score of each partition, default {SAMPLE}",
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_dry_run)


def _dry_run(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    from streamae import dryrun

    # What kafka-python has to say of a failure is in the failing check.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    terminal = Terminal(sys.stdout, os.environ)
    found: list[Check] = []

    def tell(check: Check) -> None:
        found.append(check)
        if not arguments.json:
            mark = terminal.styled(f"{check.verdict:<5}", COLOURS[check.verdict])
            terminal.line(f"{mark} {check.subject}: {check.text}")

    exit_code = 0
    try:
        for check in dryrun.checks(config, arguments.records):
            tell(check)
            exit_code = FINDINGS if check.verdict == "fail" else exit_code
    except StreamaeError as error:
        tell(Check("fail", config.source.kind, str(error)))
        exit_code = error.exit_code
    if arguments.json:
        print(json.dumps({"checks": [check._asdict() for check in found]}))
    return exit_code
