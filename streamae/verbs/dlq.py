"""`streamae dlq replay`: dead letters that are records by now, back to the input."""

import argparse
from collections import deque
from contextlib import ExitStack
from pathlib import Path

from streamae.errors import ConfigError
from streamae.verbs.options import Verbs, add_range, add_verb, load, positive


def add(verbs: Verbs) -> None:
    """Add the verb and the one below it."""
    parser = verbs.add_parser("dlq", help="what to do with dead letters")
    below = parser.add_subparsers(required=True, metavar="WHAT")
    replay = add_verb(below, "replay", "send dead letters back; without --yes only say which")
    replay.add_argument(
        "--reason", action="append", default=[], help="only letters with this one; may be repeated"
    )
    add_range(replay)
    replay.add_argument("--rate", type=positive, metavar="N", help="letters per second, at most")
    replay.add_argument(
        "--output", type=Path, metavar="FILE", help="append them to this file, not to the input"
    )
    replay.add_argument("--yes", action="store_true", help="do it")
    replay.set_defaults(verb=_replay, refuse=replay.error)


def _replay(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    from streamae import letters
    from streamae.archive import open_archive
    from streamae.decode import Reason
    from streamae.ranges import offset_of, partitions

    reasons = [reason.value for reason in Reason]
    if unknown := set(arguments.reason).difference(reasons):
        arguments.refuse(f"--reason {min(unknown)} is none of {', '.join(reasons)}")
    n_sent = 0
    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        sender = letters.open_sender(config, arguments.output, cleanups, dry=not arguments.yes)
        for partition in partitions(archive, arguments.partition):
            start, end = (
                offset_of(archive, partition, one) for one in (arguments.start, arguments.end)
            )
            if start is not None and end is not None and end < start:
                raise ConfigError(f"{partition}: --to is before --from, {end:,} before {start:,}")
            wanted = letters.Wanted(arguments.reason, start or 0, end)
            tally, sent = letters.Tally(), sender.receipts(partition)
            ready = letters.ready(archive, config, partition, wanted, sent, tally)
            if arguments.yes:
                try:
                    n_sent += letters.send(sender, partition, ready, arguments.rate)
                except KeyboardInterrupt:
                    print("interrupted: what was sent has its receipt, so the next one goes on")
                    raise
            else:
                deque(ready, maxlen=0)
            print("\n".join(tally.lines(partition)), flush=True)
    print(f"{n_sent:,} sent" if arguments.yes else "nothing is sent: add --yes to do it")
    return 0
