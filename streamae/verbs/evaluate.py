"""`streamae evaluate`: how well labelled data is told apart."""

import argparse
import json
from pathlib import Path

from streamae.verbs.options import Verbs, add_verb, load, positive, use_machine


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "evaluate", "score labelled data")
    parser.add_argument("data", type=Path, metavar="DATA", help=".npz with X and y, or CSV")
    parser.add_argument("--rows", type=positive, metavar="N", help="the first N rows only")
    parser.add_argument("--label", metavar="COLUMN", help="the label column of a CSV file")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    use_machine(config)
    from streamae.evaluate import evaluate

    report = evaluate(arguments.data, config, arguments.rows, arguments.label)
    print(json.dumps(report.to_dict()) if arguments.json else report.render())
    return 0
