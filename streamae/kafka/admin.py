"""The admin client: asking the brokers, and setting the offsets of a group that rests."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, RetriableError
from kafka.structs import OffsetAndMetadata

from streamae.config import Config
from streamae.kafka import settings
from streamae.kafka.faults import connect, translated

RETRY_S = 0.1

T = TypeVar("T")


@contextmanager
def opened_admin(config: Config, doing: str) -> Iterator[Any]:
    """Yield kafka-python's admin client; what it raises while `doing` becomes a `StreamaeError`."""
    admin = connect(KafkaAdminClient, settings.connection(config), config)
    try:
        yield admin
    except KafkaError as error:
        raise translated(error, doing) from error
    finally:
        admin.close()


def group_offsets(admin: Any, config: Config) -> dict[KafkaPartition, OffsetAndMetadata]:
    """Return what the group has committed."""
    group = settings.group(config)
    offsets: dict[KafkaPartition, OffsetAndMetadata]
    offsets = answer(lambda: admin.list_group_offsets([group]), config)[group]
    return offsets


def answer(ask: Callable[[], T], config: Config) -> T:
    """Return a coordinator's answer; a cluster that has just begun still has to find one."""
    deadline = time.monotonic() + config.kafka.connect_timeout
    while True:
        try:
            return ask()
        except RetriableError:
            if time.monotonic() > deadline:
                raise
        time.sleep(RETRY_S)
