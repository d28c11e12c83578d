"""What another configuration would have done: the alerts of both, side by side."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from streamae.records import Alert, Event, Recovered, Severity


class Change(msgspec.Struct, frozen=True):
    """An alert that another configuration would have raised, not raised, or raised differently."""

    kind: Literal["appears", "disappears", "severity"]
    offset: int
    event_time: str | None
    key: str | None
    before: Severity | None
    """None when it appears."""
    after: Severity | None
    """None when it disappears."""
    within: int | None
    """Offset of the alert whose episode its record is part of where it raises none itself."""
    score: float
    """With the configuration that raises it; with the present one where both do."""
    feature: str | None
    """The first of the alert's attribution."""


def compare_alerts(before: Sequence[Event], after: Sequence[Event]) -> Iterator[Change]:
    """Yield what differs between the alerts of one range of a partition, in log order."""
    then, now = _Alerts(before), _Alerts(after)
    for offset in sorted(then.by_offset.keys() | now.by_offset.keys()):
        old, new = then.by_offset.get(offset), now.by_offset.get(offset)
        shown = old or new
        if shown is None or (old and new and old.severity == new.severity):
            continue
        yield Change(
            kind="appears" if old is None else "disappears" if new is None else "severity",
            offset=offset,
            event_time=shown.event_time,
            key=shown.key,
            before=old.severity if old else None,
            after=new.severity if new else None,
            within=None if old and new else (then if new else now).covering(shown),
            score=shown.score,
            feature=shown.attribution[0].feature if shown.attribution else None,
        )


class _Alerts:
    """The alerts of a range, and how far the episodes went that they began."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.by_offset = {
            event.source.offset: event for event in events if isinstance(event, Alert)
        }
        self._last = {
            event.episode_id: event.source.offset
            for event in events
            if isinstance(event, Recovered)
        }

    def covering(self, alert: Alert) -> int | None:
        """Return where the episode began that another run's alert would be part of."""
        offset = alert.source.offset
        earlier = [
            one
            for one in self.by_offset.values()
            if one.key == alert.key and one.source.offset < offset
        ]
        if not earlier or self._last.get(earlier[-1].episode_id, offset) < offset:
            return None
        return earlier[-1].source.offset
