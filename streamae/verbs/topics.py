"""`streamae topics`: the Kafka topics a configuration needs."""

import argparse

from streamae.errors import ConfigError
from streamae.verbs.options import Verbs, add_verb, load


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "topics", "print the topics needed")
    parser.add_argument("--create", action="store_true", help="create those that are missing")
    parser.set_defaults(verb=_topics)


def _topics(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    if config.source.kind != "kafka":
        raise ConfigError("source.kind: only `kafka` has topics")
    from streamae import kafka

    if arguments.create:
        for name in kafka.create_topics(config):
            print(f"{name}: created")
        return 0
    for topic in kafka.required_topics(config):
        settings = "".join(f" {name}={value}" for name, value in topic.configs.items())
        print(f"{topic.name}: {topic.purpose}{settings and ';'}{settings}")
    return 0
