"""Dead letters back into the topic they came from."""

from collections.abc import Sequence

import msgspec
from kafka.errors import KafkaError

from streamae.config import Config
from streamae.dead_letters import RECEIPT_HEADERS, Letter, Receipt, is_receipt
from streamae.errors import ConfigError
from streamae.kafka import reading
from streamae.kafka.faults import overtaken
from streamae.kafka.topics import counterpart, existing_topics
from streamae.kafka.writer import Writer, alone
from streamae.types import TopicPartition

VERB = "dlq replay"


class TopicSender:
    """Sends records and a receipt, which lies among the dead letters, in one transaction.

    Whoever opens this to send ends what another one has begun. With `delivery: at_least_once` the
    receipt follows the records, and a process that dies in between leaves records that are sent
    once more.
    """

    def __init__(self, config: Config, *, dry: bool) -> None:
        """Connect; `dry` sends nothing, so it asks for no permission to."""
        self._config = config
        self._exactly_once = config.delivery == "exactly_once"
        self._writer: Writer | None = None
        topic = config.output.dead_letters
        self._n = existing_topics(config)[topic].partitions
        if not self._n:
            raise ConfigError(f"there is no topic {topic}")
        if not dry:
            self._writer = alone(config, VERB)

    def receipts(self, partition: TopicPartition) -> set[int]:
        """Return the offsets of the rejected records that were sent back before."""
        one = self._letters(partition)
        found = [
            msgspec.json.decode(record.value, type=Receipt)
            for polled in reading.read(self._config, one)
            for record in polled.records
            if is_receipt(record.headers)
        ]
        return {offset for one in found if one.source == partition for offset in one.offsets}

    def send(self, partition: TopicPartition, letters: Sequence[Letter]) -> None:
        """Send the records to the partition they came from, and the receipt."""
        writer = self._writer
        if writer is None:
            raise ValueError("opened to send nothing")
        receipt = Receipt(*partition, [letter.offset for letter in letters])
        try:
            if self._exactly_once:
                writer.begin()
            for _, _, record in letters:
                headers, timestamp_ms = record.headers, record.timestamp_ms
                writer.send(partition, record.key, record.value, headers, timestamp_ms)
            writer.flush()
            value = msgspec.json.encode(receipt)
            writer.send(self._letters(partition), None, value, RECEIPT_HEADERS)
            writer.flush()
            if self._exactly_once:
                writer.commit()
        except KafkaError as error:
            raise overtaken(error, VERB, f"sending letters to {partition}") from error

    def close(self) -> None:
        """Release everything; what is not through is given up."""
        if self._writer is not None:
            self._writer.close()

    def _letters(self, partition: TopicPartition) -> TopicPartition:
        """Return where the dead letters of an input partition lie."""
        return counterpart(partition, self._config.output.dead_letters, self._n)
