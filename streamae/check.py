"""One finding of a verb that looks whether something is as it should be."""

from typing import Literal, NamedTuple

Verdict = Literal["ok", "warn", "fail"]


class Check(NamedTuple):
    """One answer to whether something is as the daemon needs it."""

    verdict: Verdict
    """`warn` for what the daemon runs with but its operator should know."""
    subject: str
    text: str
    """What was found; and, unless it is `ok`, what to do."""
