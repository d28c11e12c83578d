"""A stream's past computed again from its log: to prove it, to vary it, to explain it."""

from streamae.replay.report import Range, Replay, Report, ranges

__all__ = ["Range", "Replay", "Report", "ranges"]
