"""Setting what the next worker of a group goes on with."""

from contextlib import closing, suppress
from typing import Any

from kafka import OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import NoError

from streamae.config import Config
from streamae.errors import ConfigError, SnapshotError
from streamae.kafka import settings
from streamae.kafka.admin import answer, opened_admin
from streamae.kafka.sink import text
from streamae.kafka.state import TopicStore
from streamae.kafka.writer import Writer
from streamae.types import StateStore, TopicPartition

DOING = "setting the offsets of the group"


class GroupOffsets:
    """The offsets of a group without members, and the snapshots they point to.

    The broker takes offsets from outside only while the group is empty: a worker that joins in
    between makes `commit` fail, and then nothing points to the snapshot that was saved.
    """

    def __init__(self, config: Config, store: StateStore | None = None) -> None:
        """Snapshots go to `store`, or to the state topic; raise `ConfigError` for members."""
        self._config = config
        self._store = store
        self._group = settings.group(config)
        with opened_admin(config, DOING) as admin:
            self._check_empty(admin)

    def commit(self, partition: TopicPartition, content: bytes, offset: int) -> None:
        """Save `content` as the newest snapshot and commit `offset` with it."""
        one = KafkaPartition(*partition)
        with (
            opened_admin(self._config, DOING) as admin,
            closing(Writer(self._config, transactional=False)) as writer,
        ):
            store = self._store or TopicStore(self._config, writer)
            before = self._offsets(admin).get(one)
            if before is not None and (pointer := text(before)):
                with suppress(SnapshotError):  # Its number counts, damaged or not.
                    store.load(partition, pointer)
            saved = OffsetAndMetadata(offset, store.save(partition, content), -1)
            refused = admin.alter_group_offsets(self._group, {one: saved})[one]
            if refused is not NoError:
                self._check_empty(admin)
                raise refused

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _offsets(self, admin: Any) -> dict[KafkaPartition, OffsetAndMetadata]:
        found = answer(lambda: admin.list_group_offsets([self._group]), self._config)
        offsets: dict[KafkaPartition, OffsetAndMetadata] = found[self._group]
        return offsets

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
