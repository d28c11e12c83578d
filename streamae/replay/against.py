"""What another configuration would have done: the alerts of both, side by side."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from streamae.records import Alert, Event, Severity


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
    score: float
    """With the configuration that raises it; with the present one where both do."""
    feature: str | None
    """The first of the alert's attribution."""


def compare_alerts(before: Iterable[Event], after: Iterable[Event]) -> Iterator[Change]:
    """Yield what differs between the alerts of one range of a partition, in log order."""
    then, now = _alerts(before), _alerts(after)
    for offset in sorted(then.keys() | now.keys()):
        old, new = then.get(offset), now.get(offset)
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
            score=shown.score,
            feature=shown.attribution[0].feature if shown.attribution else None,
        )


def _alerts(events: Iterable[Event]) -> dict[int, Alert]:
    return {event.source.offset: event for event in events if isinstance(event, Alert)}
