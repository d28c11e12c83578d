"""Which topic it is that a group reads: made anew under its name, it is another one."""

import math
from collections.abc import Iterable, Mapping
from time import monotonic

from streamae.config import Config
from streamae.errors import SnapshotError, StreamaeError, TemporaryError
from streamae.kafka.admin import opened_admin
from streamae.kafka.topics import DOING, described
from streamae.types import TopicPartition

FRESH_S = 1.0
"""An answer that is good enough for the next of hundreds of partitions that are restored."""

CHECK_S = 30.0
"""Between two looks at what is being read; each opens a connection."""

ANOTHER = (
    "is not the topic that this group has read, but was made anew under its name; set the offsets"
    " of the group, to the earliest for all of it"
)


class InputIds:
    """The ids of the input's topics, which brokers from 2.8 on give them.

    Offsets say nothing of another topic of the same name: records of it would be passed over, and
    the rest be learnt as if they continued what was read.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._read: dict[TopicPartition, str] = {}
        self._told: Mapping[str, str] = {}
        self._asked = -math.inf

    def __getitem__(self, partition: TopicPartition) -> str:
        """Return the id of the topic that is read as `partition`; empty where it is not known."""
        return self._read.get(partition, "")

    def begin(self, partition: TopicPartition, committed: str) -> None:
        """Take note of the topic that is read from now on.

        Raise `SnapshotError` when the group's offset was committed for another one.
        """
        now = self._now(FRESH_S).get(partition.topic, "")
        if committed and now and committed != now:
            raise SnapshotError(f"{partition.topic} {ANOTHER}")
        self._read[partition] = now or committed

    def check(self, partitions: Iterable[TopicPartition]) -> None:
        """Raise `TemporaryError` when a topic was made anew while it was read."""
        try:
            now = self._now(CHECK_S)
        except StreamaeError:  # Without an answer nothing is known to have changed.
            return
        for one in partitions:
            if self[one] and now.get(one.topic, "") not in ("", self[one]):
                raise TemporaryError(
                    f"{one.topic} was made anew under its name while it was read; a restart finds"
                    " out where to go on"
                )

    def _now(self, age_s: float) -> Mapping[str, str]:
        """Return the ids by topic, told no longer than `age_s` ago."""
        if monotonic() - self._asked > age_s:
            self._asked = monotonic()
            with opened_admin(self._config, DOING) as admin:
                found = described(admin, self._config.source.topics)
            self._told = {topic: state.id for topic, state in found.items()}
            if not all(state.partitions for state in found.values()):
                self._asked = -math.inf  # Being made anew.
        return self._told
