"""Setting what the next worker of a group goes on with."""

from typing import Any

from kafka import ConsumerGroupMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, NoError

from streamae.config import Config
from streamae.errors import ConfigError
from streamae.kafka import settings
from streamae.kafka.admin import answer, group_offsets, opened_admin
from streamae.kafka.faults import overtaken
from streamae.kafka.sink import input_id, marked, metadata
from streamae.kafka.state import TopicStore
from streamae.kafka.writer import alone
from streamae.types import StateStore, TopicPartition

VERB = "checkpoint rollback"
DOING = "setting the offsets of the group"

NO_MEMBER = "rollback"
"""Not the id of a member, so the broker takes offsets from it only while the group is empty."""


class GroupOffsets:
    """The offsets of a group without members, and the snapshots they point to.

    The broker takes offsets from outside only while the group is empty: a worker that joins in
    between makes `commit` fail, and then nothing points to the snapshot that was saved. Whoever
    opens this ends what another one has begun; without transactions the last to commit counts.
    """

    def __init__(self, config: Config, store: StateStore | None = None) -> None:
        """Snapshots go to `store`, or to the state topic; raise `ConfigError` for members."""
        self._config = config
        self._group = settings.group(config)
        self._exactly_once = config.delivery == "exactly_once"
        with opened_admin(config, DOING) as admin:
            self._check_empty(admin)
        self._writer = alone(config, VERB)
        self._store = store or TopicStore(config, self._writer)

    def commit(self, partition: TopicPartition, content: bytes, offset: int) -> None:
        """Save `content` as the newest snapshot and commit `offset` with it.

        Raise `ConfigError` for members, `TemporaryError` when another rollback has begun since.
        """
        with opened_admin(self._config, DOING) as admin:
            try:
                self._save(admin, partition, content, offset)
            except KafkaError as error:
                self._check_empty(admin)
                raise overtaken(error, VERB, DOING) from error

    def close(self) -> None:
        """Release everything; what is not through is given up."""
        self._writer.close()

    def _save(self, admin: Any, partition: TopicPartition, content: bytes, offset: int) -> None:
        one = KafkaPartition(*partition)
        before = group_offsets(admin, self._config).get(one)
        if self._exactly_once:
            self._writer.begin()
        pointer = self._store.save(partition, content, metadata(before) if before else None)
        saved = marked(offset, pointer, input_id(before) if before else "")
        if self._exactly_once:
            nobody = ConsumerGroupMetadata(self._group, -1, NO_MEMBER)
            self._writer.send_offsets({partition: saved}, nobody)
            self._writer.commit()
            return
        refused = admin.alter_group_offsets(self._group, {one: saved})[one]
        if refused is not NoError:
            raise refused

    def _check_empty(self, admin: Any) -> None:
        found = answer(lambda: admin.describe_groups([self._group]), self._config)
        members = found[self._group]["members"]
        if not members:
            return
        static = sorted(filter(None, (member["group_instance_id"] for member in members)))
        stays = (
            f"; the broker counts a stopped kafka.instance ({', '.join(static)}) as a member until"
            " its kafka.session_timeout has passed"
        )
        raise ConfigError(
            f"kafka.group: {self._group} is being worked on by {len(members)} of its members: stop"
            f" them first{stays if static else ''}"
        )
