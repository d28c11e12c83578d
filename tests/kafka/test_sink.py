import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streamae.config import Config
from streamae.errors import TemporaryError
from streamae.types import Commit, Output, TopicPartition
from tests.kafka.cluster import Cluster
from tests.kafka.worker import Member, alert, commit

Configured = Callable[..., Config]


def test_a_commit_shows_everything_and_comes_back(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    cluster.write(config.source.topics[0], [b"a", b"b", b"c"])
    one = TopicPartition(config.source.topics[0], 0)
    snapshot = random.Random(1).randbytes(5_000_000)
    with Member(config) as member:
        member.poll_until(lambda m: len(m.values()) == 3)
        assert member.sink.commit(commit(one, 2, b"x", b"y", snapshot=snapshot))
        assert member.sink.commit(commit(one, 3, b"z"))
    assert cluster.values(config.output.alerts) == [b"x", b"y", b"z"]
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        found = member.committed[one]
        assert found is not None
        assert found.offset == 3
        assert found.snapshot == snapshot
