"""`streamae checkpoint`: the kept snapshots, whether they are whole, and the way back to one."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamae.config import Config
from streamae.errors import ConfigError
from streamae.terminal import table
from streamae.verbs.findings import tell
from streamae.verbs.options import Verbs, add_verb, load, use_machine

if TYPE_CHECKING:
    from streamae.types import Archive

HEADER = ("partition", "name", "written", "learnt", "offset", "bytes", "")


def add(verbs: Verbs) -> None:
    """Add the verb and the verbs below it."""
    parser = verbs.add_parser("checkpoint", help="list, check and go back to saved models")
    below = parser.add_subparsers(required=True, metavar="WHAT")
    ls = add_verb(below, "ls", "the snapshots that are kept")
    ls.set_defaults(verb=_ls)
    show = add_verb(below, "show", "what a snapshot says of itself, as JSON")
    show.add_argument("names", nargs="*", metavar="NAME", help="default: the committed ones")
    show.set_defaults(verb=_show)
    verify = add_verb(below, "verify", "whether snapshots are whole and fit the configuration")
    verify.set_defaults(verb=_verify)
    for one in (ls, verify):
        one.add_argument("--json", action="store_true", help="as one JSON object")
    rollback = add_verb(below, "rollback", "go back to a snapshot; without --yes only say how")
    rollback.add_argument("names", nargs="+", metavar="NAME", help="one snapshot per partition")
    rollback.add_argument(
        "--position",
        choices=["keep", "rewind"],
        required=True,
        help="go on where the input has been read to, or where the snapshot was taken",
    )
    rollback.add_argument("--yes", action="store_true", help="do it")
    rollback.set_defaults(verb=_rollback)


def _ls(arguments: argparse.Namespace) -> int:
    from streamae import checkpoint

    with _opened(arguments) as (config, archive):
        found = [checkpoint.summary(one) for one in checkpoint.every(archive, config)]
    if arguments.json:
        print(json.dumps({"snapshots": found}))
    else:
        print("\n".join(table(HEADER, map(_row, found))))
    return 0


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    learnt, offset = (
        "-" if one[key] is None else f"{one[key]:,}" for key in ("records_learnt", "offset")
    )
    goes_on = None if one["committed"] is None else f"committed, goes on at {one['committed']:,}"
    skipped = None if one["skipped_from"] is None else f"skipped from {one['skipped_from']:,}"
    note = "; ".join(filter(None, (goes_on, skipped, one["problem"])))
    written = one["written"] or "-"
    return one["partition"], one["name"], written, learnt, offset, f"{one['bytes']:,}", note


def _show(arguments: argparse.Namespace) -> int:
    from streamae import checkpoint

    with _opened(arguments) as (config, archive):
        use_machine(config)
        if arguments.names:
            chosen = [checkpoint.find(archive, config, name) for name in arguments.names]
        else:
            chosen = [one for one in checkpoint.every(archive, config) if one.committed]
        print(json.dumps([checkpoint.describe(one, config) for one in chosen], indent=2))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from streamae import checkpoint

    with _opened(arguments) as (config, archive):
        return tell(checkpoint.checks(archive, config), "state", as_json=arguments.json)


def _rollback(arguments: argparse.Namespace) -> int:
    from streamae import checkpoint

    position, names = arguments.position, arguments.names
    with _opened(arguments) as (config, archive), ExitStack() as cleanups:
        offsets = checkpoint.open_offsets(config, cleanups) if arguments.yes else None
        plans = {
            plan.to.partition: plan
            for plan in (checkpoint.plan(archive, config, name, position) for name in names)
        }
        if len(plans) < len(names):
            raise ConfigError("name one snapshot per partition")
        for partition, plan in plans.items():
            print("\n".join(plan.lines()))
            if offsets is not None:
                offsets.commit(partition, plan.content, plan.offset)
    print("done" if arguments.yes else "nothing is changed: add --yes to do it")
    return 0


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[tuple[Config, "Archive"]]:
    """Yield the configuration and what it has left behind."""
    from streamae.archive import open_archive

    config = load(arguments)
    directory = Path(config.state.directory)
    if config.state_store == "directory" and not directory.is_dir():
        raise ConfigError(
            f"state.directory: there is no {directory.absolute()}: run this where the daemon runs"
        )
    with ExitStack() as cleanups:
        yield config, open_archive(config, cleanups)
