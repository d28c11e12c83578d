"""Dead letters: what their headers say, and the receipts of those sent back, so none goes twice."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from streamae.types import Headers, Output, TopicPartition

ERROR_HEADER = "__streamae.errors."
"""Prefix of the headers a dead letter gets, after Kafka Connect's (KIP-298)."""

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


def errors_of(output: Output) -> Mapping[str, bytes]:
    """Return the headers that were added to a rejected record, by their names behind the prefix."""
    return {
        name.removeprefix(ERROR_HEADER): value
        for name, value in output.headers
        if name.startswith(ERROR_HEADER)
    }


def is_receipt(headers: Headers) -> bool:
    """Return whether a message among dead letters is a receipt."""
    return tuple(headers) == RECEIPT_HEADERS
