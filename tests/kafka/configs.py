"""Configurations of the tests, each with names of its own."""

import itertools
from typing import Any

import msgspec

from streamae.config import Config, Duration, KafkaConfig, OutputConfig, SourceConfig, StateConfig

NUMBERS = itertools.count()


def named(bootstrap: str, **kafka: Any) -> Config:
    """Return a configuration whose names no other test has."""
    name = f"t{next(NUMBERS):04}"  # None begins with another: ACLs of a test are for prefixes.
    return Config(
        name=name,
        source=SourceConfig(kind="kafka", topics=(f"{name}.in",)),
        output=OutputConfig(alerts=f"{name}.alerts", dead_letters=f"{name}.rejected"),
        state=StateConfig(topic=f"{name}.state"),
        kafka=msgspec.structs.replace(
            KafkaConfig(bootstrap_servers=(bootstrap,), session_timeout=Duration(3)), **kafka
        ),
    )
