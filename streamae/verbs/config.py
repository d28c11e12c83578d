"""`streamae config`: the configuration in use, its keys, a file to start from."""

import argparse
import json

from streamae.config import file as configfile
from streamae.verbs.options import Verbs, add_verb, load


def add(verbs: Verbs) -> None:
    """Add the verb and the verbs below it."""
    parser = verbs.add_parser("config", help="show the configuration and its keys")
    below = parser.add_subparsers(required=True, metavar="WHAT")
    add_verb(below, "echo", "what a run would use, redacted").set_defaults(verb=_echo)
    schema = below.add_parser("schema", help="the JSON Schema of the file, for editors")
    schema.add_argument("--tests", action="store_true", help="of the file `streamae test` reads")
    schema.set_defaults(verb=_schema)
    answers = {
        "init": (_init, "a commented file of all defaults"),
        "reference": (_reference, "every key as a Markdown table"),
    }
    for name, (verb, text) in answers.items():
        below.add_parser(name, help=text).set_defaults(verb=verb)


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


def _init(_: argparse.Namespace) -> int:
    from streamae.config import reference

    print(reference.template(), end="")
    return 0
