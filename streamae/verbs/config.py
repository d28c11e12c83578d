"""`streamae config`: the configuration in use, its keys, a file to start from."""

import argparse
import json
from pathlib import Path

from streamae.config import file as configfile
from streamae.errors import ConfigError
from streamae.verbs.options import Verbs, add_verb, load, positive

_KAFKA = "kafka://"


def add(verbs: Verbs) -> None:
    """Add the verb and the verbs below it."""
    parser = verbs.add_parser("config", help="show the configuration and its keys")
    below = parser.add_subparsers(required=True, metavar="WHAT")
    add_verb(below, "echo", "what a run would use, redacted").set_defaults(verb=_echo)
    schema = below.add_parser("schema", help="the JSON Schema of the file, for editors")
    schema.add_argument("--tests", action="store_true", help="of the file `streamae test` reads")
    schema.set_defaults(verb=_schema)
    init = add_verb(below, "init", "a commented file to start from")
    init.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="a file of records, or kafka://HOST:PORT/TOPIC, to draft it from; default: all"
        " defaults",
    )
    init.add_argument(
        "--records", type=positive, default=5000, metavar="N", help="records looked at, at most"
    )
    init.set_defaults(verb=_init)
    table = below.add_parser("reference", help="every key as a Markdown table")
    table.set_defaults(verb=_reference)


def _echo(arguments: argparse.Namespace) -> int:
    import yaml

    print(yaml.safe_dump(configfile.redact(load(arguments)), sort_keys=False), end="")
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from streamae.config import reference

    if arguments.tests:
        from streamae.cases.file import schema

        print(json.dumps(schema(), indent=2))
    else:
        print(json.dumps(reference.schema(), indent=2))
    return 0


def _reference(_: argparse.Namespace) -> int:
    from streamae.config import reference

    print(reference.table(), end="")
    return 0


def _init(arguments: argparse.Namespace) -> int:
    if arguments.source is None and arguments.config is None and not arguments.overrides:
        from streamae.config import reference

        print(reference.template(), end="")
        return 0
    arguments.overrides = [*_reach(arguments.source), *arguments.overrides]
    config = load(arguments)
    from streamae.draft.sample import sample
    from streamae.draft.write import draft

    found = sample(config, arguments.records)
    print(draft(config, found, f"streamae config init {arguments.source or ''}".strip()), end="")
    return 0


def _reach(source: str | None) -> list[str]:
    """Return the overrides that a file or `kafka://HOST:PORT,.../TOPIC,...` stands for."""
    if source is None:
        return []
    if not source.startswith(_KAFKA):
        return [f"source.path={json.dumps(source)}", f"name={json.dumps(Path(source).stem)}"]
    servers, _, topics = source.removeprefix(_KAFKA).partition("/")
    if not servers or not topics:
        raise ConfigError(f"{source}: write {_KAFKA}HOST:PORT/TOPIC")
    name = topics.partition(",")[0]
    return [
        f"name={name}",
        "source.kind=kafka",
        f"source.topics=[{topics}]",
        f"kafka.bootstrap_servers={servers}",
        f"output.alerts={name}-alerts",
        f"output.dead_letters={name}-rejected",
    ]
