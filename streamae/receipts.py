"""Dead letters, and what says that they were sent back to the input, so that none is sent twice."""

from typing import NamedTuple

import msgspec

from streamae.types import Headers, Output, TopicPartition

RECEIPT_HEADERS: Headers = (("content-type", b"application/vnd.streamae.receipt+json"),)
"""Tell a receipt from the dead letters it lies among."""


class Letter(NamedTuple):
    """A rejected record."""

    offset: int
    """Where it lies in the input."""
    reason: str
    record: Output
    """As it came, without the headers that say why it was rejected."""


class Receipt(msgspec.Struct, frozen=True):
    """Rejected records of one input partition that were sent back together."""

    topic: str
    partition: int
    offsets: list[int]
    """Of the records as they were rejected."""

    @property
    def source(self) -> TopicPartition:
        """The input partition."""
        return TopicPartition(self.topic, self.partition)


def is_receipt(headers: Headers) -> bool:
    """Return whether a message among dead letters is a receipt."""
    return tuple(headers) == RECEIPT_HEADERS
