"""librdkafka's errors as kafka-python's: the same codes, and classes for what has no code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from kafka import errors

from streamae.errors import ConfigError
from streamae.kafka.faults import translated

LOCAL: dict[int, type[errors.KafkaError]] = {
    KafkaError._TIMED_OUT: errors.KafkaTimeoutError,
    KafkaError._TIMED_OUT_QUEUE: errors.KafkaTimeoutError,
    KafkaError._MSG_TIMED_OUT: errors.KafkaTimeoutError,
    KafkaError._TRANSPORT: errors.KafkaConnectionError,
    KafkaError._RESOLVE: errors.KafkaConnectionError,
    KafkaError._ALL_BROKERS_DOWN: errors.KafkaConnectionError,
    KafkaError._WAIT_COORD: errors.CoordinatorNotAvailableError,
    KafkaError._AUTHENTICATION: errors.SaslAuthenticationFailedError,
    KafkaError._SSL: errors.SaslAuthenticationFailedError,
    KafkaError._UNKNOWN_TOPIC: errors.UnknownTopicOrPartitionError,
    KafkaError._UNKNOWN_PARTITION: errors.UnknownTopicOrPartitionError,
    KafkaError._NOT_IMPLEMENTED: errors.UnsupportedCodecError,
    KafkaError._ASSIGNMENT_LOST: errors.CommitFailedError,
    KafkaError._PURGE_QUEUE: errors.Cancelled,
    KafkaError._PURGE_INFLIGHT: errors.Cancelled,
    KafkaError._FENCED: errors.ProducerFencedError,
}
"""Codes below zero are librdkafka's own."""


def as_kafka_python(error: KafkaError) -> errors.KafkaError:
    """Return kafka-python's error for librdkafka's."""
    code = error.code()
    if code > 0:
        return errors.for_code(code)(error.str())
    unnamed = errors.RetriableError if error.retriable() else errors.KafkaError
    return LOCAL.get(code, unnamed)(f"{error.str()} ({error.name()})")


@contextmanager
def raised_as_kafka_python() -> Iterator[None]:
    """Raise kafka-python's errors for librdkafka's."""
    try:
        yield
    except KafkaException as error:
        raise as_kafka_python(error.args[0]) from None


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise what librdkafka's errors mean to an operator."""
    try:
        with raised_as_kafka_python():
            yield
    except errors.KafkaError as error:
        raise translated(error, doing) from error


def opened(client: Callable[..., Any], properties: dict[str, Any], **options: Any) -> Any:
    """Return `client(properties)`; raise `ConfigError` for what librdkafka does not accept."""
    try:
        return client(properties, **options)
    except KafkaException as error:
        raise ConfigError(f"kafka: {error.args[0].str()}") from error
