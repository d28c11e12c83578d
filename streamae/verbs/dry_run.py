"""`streamae dry-run`: whether a run would work, and what it would do."""

import argparse

from streamae.verbs.findings import tell
from streamae.verbs.options import Verbs, add_verb, load, positive

SAMPLE = 10_000


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

    found = dryrun.checks(config, arguments.records)
    return tell(found, config.source.kind, as_json=arguments.json)
