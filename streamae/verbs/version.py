"""`streamae version`: what runs."""

import argparse
import json
import platform
from importlib import metadata

import streamae
from streamae.verbs.options import Verbs

_LIBRARIES = ("torch", "kafka-python", "numpy", "msgspec")


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("version", help="print versions")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_version)


def _version(arguments: argparse.Namespace) -> int:
    versions = {"streamae": streamae.__version__, "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in _LIBRARIES}
    versions["platform"] = platform.platform()
    if arguments.json:
        print(json.dumps(versions))
    else:
        print("".join(f"{name} {version}\n" for name, version in versions.items()), end="")
    return 0
