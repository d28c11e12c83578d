"""`streamae demo`: real data scored by the real daemon, without Kafka."""

import argparse
from pathlib import Path

from streamae.verbs.options import Verbs


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("demo", help="watch real data being scored, without Kafka")
    parser.add_argument("--feed", choices=["shuttle", "host"], default="shuttle")
    parser.add_argument("--directory", type=Path, help="where to write; default: a new one")
    parser.set_defaults(verb=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from streamae import demo

    return demo.run(arguments.feed, arguments.directory)
