"""Findings as lines, or as JSON, and the exit code they mean."""

import json
import os
import sys
from collections.abc import Iterable, Mapping

from streamae.check import Check
from streamae.errors import StreamaeError
from streamae.terminal import Style, Terminal
from streamae.verbs.options import FINDINGS

COLOURS: Mapping[str, Style] = {"ok": "green", "warn": "yellow", "fail": "red"}


def tell(checks: Iterable[Check], asked: str, *, as_json: bool) -> int:
    """Print checks as they come; what ends them is one more, about what was `asked`."""
    terminal = Terminal(sys.stdout, os.environ)
    found: list[Check] = []

    def tell_one(check: Check) -> None:
        found.append(check)
        if not as_json:
            mark = terminal.styled(f"{check.verdict:<5}", COLOURS[check.verdict])
            terminal.line(f"{mark} {check.subject}: {check.text}")

    exit_code = 0
    try:
        for check in checks:
            tell_one(check)
            exit_code = FINDINGS if check.verdict == "fail" else exit_code
    except StreamaeError as error:
        tell_one(Check("fail", asked, str(error)))
        exit_code = error.exit_code
    if as_json:
        print(json.dumps({"checks": [check._asdict() for check in found]}))
    return exit_code
