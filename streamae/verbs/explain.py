"""`streamae explain`: why a record was flagged, or why it was not."""

import argparse
import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from streamae.progress import progress_bar
from streamae.terminal import Terminal, table
from streamae.verbs.options import Verbs, add_verb, load, use_machine

if TYPE_CHECKING:
    from streamae.replay.explain import Explanation, Verdict

_MOST_FEATURES = 20
_VALUE_CHARS = 200


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "explain", "say why a record was flagged, or was not")
    parser.add_argument(
        "target", metavar="ALERT_ID|TOPIC:PARTITION:OFFSET", help="an alert, or a record"
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    use_machine(config)
    import msgspec

    from streamae import app
    from streamae.archive import open_archive
    from streamae.replay.explain import Explainer, locate

    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        at = locate(archive, arguments.target)
        explainer = Explainer(archive, config, at, app.open_labels(config, cleanups))
        with progress_bar(Terminal(sys.stderr, os.environ), explainer.status):
            found = explainer.explain()
    if arguments.json:
        print(msgspec.json.encode(found).decode())
    else:
        print("\n".join(_lines(found)))
    return 0


def _lines(found: "Explanation") -> Iterator[str]:
    """Yield an explanation as text."""
    at, begun = found.source, found.begun
    about = [f"key {found.key}" if found.key is not None else "", found.event_time or ""]
    yield f"{at.topic}-{at.partition}, offset {at.offset} {' '.join(filter(None, about))}".rstrip()
    yield f"  {_shortened(found.value or '')}"
    origin = (
        "an empty model"
        if begun.snapshot is None
        else f"the snapshot {begun.snapshot} at offset {begun.offset}"
    )
    yield f"  record {found.ordinal:,} of the model, which was rebuilt from {origin}"
    yield from (f"  note: {note}" for note in found.notes)
    yield ""
    yield from _verdicts(found)
    yield ""
    yield from _features(found)
    if found.thresholds:
        yield ""
        yield "thresholds of the blocks up to the record's"
        yield from _thresholds(found)


def _verdicts(found: "Explanation") -> Iterator[str]:
    header = ("model", "blocks", "score", "p-value", "threshold", "alpha", "verdict")
    rows = [_row("then", found.verdict)]
    if found.now is not None:
        rows.append(_row("now", found.now))
    yield from table(header, rows)


def _row(name: str, verdict: "Verdict") -> tuple[str, ...]:
    numbers = (verdict.score, verdict.p_value, verdict.threshold, verdict.alpha)
    said = "warming up" if not verdict.alpha else verdict.severity or "normal"
    return name, f"{verdict.block:,}", *map(_number, numbers), said


def _features(found: "Explanation") -> Iterator[str]:
    if not found.attribution:
        yield "no feature can be blamed: there was no model yet"
        return
    nearest = found.nearest.values if found.nearest else {}
    header = ("feature", "observed", "expected", "off by", "share", "reconstructed", "nearest")
    rows = [
        (
            one.feature,
            _number(one.observed),
            _number(one.expected),
            f"{one.deviation:+.2f} sd",
            f"{one.share:.1%}",
            _number(found.reconstruction.get(one.feature)),
            _number(nearest.get(one.feature)),
        )
        for one in found.attribution[:_MOST_FEATURES]
    ]
    yield from table(header, rows)
    if (more := len(found.reconstruction) - len(rows) - len(found.missing)) > 0:
        yield f"and {more} more"
    if found.evidence is not None:
        kinds = found.evidence.__struct_fields__
        stands_out = (f"{kind} {getattr(found.evidence, kind):.1f}" for kind in kinds)
        yield f"stands out by {', '.join(stands_out)}"
    if found.missing:
        yield f"missing: {', '.join(found.missing)}"
    if found.counterfactual is not None:
        without = ", ".join(found.counterfactual.features)
        score = _number(found.counterfactual.score)
        yield f"without {without} the score would be {score}, below the threshold"
    if found.nearest is not None:
        yield (
            f"the nearest normal record before it has offset {found.nearest.offset}, its code is"
            f" {_number(found.nearest.distance)} away"
        )


def _thresholds(found: "Explanation") -> Iterator[str]:
    rows = [
        (str(one.block), _number(one.alpha), _number(one.threshold)) for one in found.thresholds
    ]
    yield from table(("block", "alpha", "threshold"), rows)


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"


def _shortened(value: str) -> str:
    return value if len(value) <= _VALUE_CHARS else f"{value[:_VALUE_CHARS]}…"
