"""`streamae replay`: a range of the log computed again."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from streamae.config import file as configfile
from streamae.progress import progress_bar
from streamae.terminal import Terminal, counted, table
from streamae.verbs.options import FINDINGS, Verbs, add_range, add_verb, load, use_machine

if TYPE_CHECKING:
    from streamae.replay import Report


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "replay", "compute a range of the log again")
    add_range(parser)
    parser.add_argument(
        "--from-scratch", action="store_true", help="begin with an empty model, not a snapshot"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--compare", action="store_true", help="prove that what was committed is the same"
    )
    kind.add_argument(
        "--against", type=Path, metavar="FILE", help="show what another configuration changes"
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    other = None
    if arguments.against is not None:
        other = configfile.load(arguments.against, arguments.overrides, os.environ)
        use_machine(other)
    use_machine(config)
    import msgspec

    from streamae import app
    from streamae.archive import open_archive
    from streamae.replay import Replay, ranges

    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        found = ranges(
            archive,
            config,
            (arguments.start, arguments.end),
            arguments.partition,
            committed=arguments.compare,
        )
        labels = app.open_labels(config, cleanups)
        replay = Replay(archive, config, labels, from_scratch=arguments.from_scratch)
        with progress_bar(Terminal(sys.stderr, os.environ), replay.status):
            if arguments.compare:
                reports = [replay.compare(one) for one in found]
            elif other is not None:
                reports = [replay.compare_with(other, one) for one in found]
            else:
                reports = [replay.report(one) for one in found]
    if arguments.json:
        print(msgspec.json.encode({"partitions": reports}).decode())
    else:
        print("\n".join(line for report in reports for line in _lines(report)))
    return FINDINGS if any(report.differs for report in reports) else 0


def _lines(report: "Report") -> Iterator[str]:
    """Yield a report as text."""
    begun = report.begun
    origin = (
        f"an empty model at offset {begun.offset}"
        if begun.snapshot is None
        else f"the snapshot {begun.snapshot} at offset {begun.offset}, ordinal {begun.ordinal}"
    )
    yield f"{report.partition}: offsets {report.start} to {report.end}, from {origin}"
    yield from (f"  note: {note}" for note in report.notes)
    if report.comparison is not None:
        yield from _comparison(report)
    elif report.changes is not None:
        yield from _changes(report)
    else:
        yield from _alerts(report)


def _comparison(report: "Report") -> Iterator[str]:
    for channel, found in (report.comparison or {}).items():
        gone = f"; {found.gone:,} before them are no longer kept" if found.gone else ""
        if found.difference is None:
            yield f"  {channel}: {found.equal:,} equal, no difference{gone}"
            continue
        yield f"  {channel}: {found.equal:,} equal, then the first difference{gone}"
        yield from (f"    {name:<14}{value}" for name, value in found.difference.render())


def _changes(report: "Report") -> Iterator[str]:
    changes = report.changes or []
    kinds = [change.kind for change in changes]
    yield (
        f"  {counted(len(report.alerts), 'alert')} as configured;"
        f" {kinds.count('appears'):,} would appear,"
        f" {kinds.count('disappears'):,} disappear, {kinds.count('severity'):,} change severity"
    )
    if not changes:
        return
    header = (
        "change",
        "offset",
        "event time",
        "key",
        "before",
        "after",
        "part of",
        "score",
        "feature",
    )
    rows = [
        (
            one.kind,
            str(one.offset),
            one.event_time or "-",
            one.key or "-",
            one.before or "-",
            one.after or "-",
            "-" if one.within is None else str(one.within),
            f"{one.score:.4g}",
            one.feature or "-",
        )
        for one in changes
    ]
    yield from (f"  {line}" for line in table(header, rows))


def _alerts(report: "Report") -> Iterator[str]:
    yield f"  {counted(len(report.alerts), 'alert')}"
    if not report.alerts:
        return
    header = ("alert", "offset", "event time", "key", "severity", "score", "threshold", "feature")
    rows = [
        (
            one.alert_id,
            str(one.source.offset),
            one.event_time or "-",
            one.key or "-",
            one.severity,
            f"{one.score:.4g}",
            f"{one.threshold:.4g}",
            one.attribution[0].feature if one.attribution else "-",
        )
        for one in report.alerts
    ]
    yield from (f"  {line}" for line in table(header, rows))
