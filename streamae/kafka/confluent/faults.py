"""librdkafka's errors as kafka-python's: the same codes, and classes for what has no code."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from kafka import errors

from streamae.errors import ConfigError
from streamae.kafka.faults import cause, translated

LOCAL: dict[str, type[errors.KafkaError]] = {
    "_TIMED_OUT": errors.KafkaTimeoutError,
    "_TIMED_OUT_QUEUE": errors.KafkaTimeoutError,
    "_MSG_TIMED_OUT": errors.KafkaTimeoutError,
    "_TRANSPORT": errors.KafkaConnectionError,
    "_RESOLVE": errors.KafkaConnectionError,
    "_ALL_BROKERS_DOWN": errors.KafkaConnectionError,
    "_WAIT_COORD": errors.CoordinatorNotAvailableError,
    "_AUTHENTICATION": errors.SaslAuthenticationFailedError,
    "_SSL": errors.SaslAuthenticationFailedError,
    "_UNKNOWN_TOPIC": errors.UnknownTopicOrPartitionError,
    "_UNKNOWN_PARTITION": errors.UnknownTopicOrPartitionError,
    "_NOT_IMPLEMENTED": errors.UnsupportedCodecError,
    "_ASSIGNMENT_LOST": errors.CommitFailedError,
    "_PURGE_QUEUE": errors.Cancelled,
    "_PURGE_INFLIGHT": errors.Cancelled,
    "_FENCED": errors.ProducerFencedError,
}
"""By name: librdkafka's own, which have codes below zero."""


FAILURES = (KafkaException, SystemError)
"""confluent-kafka reports deliveries while the exception of a fatal error is pending, and Python
makes a `SystemError` of that."""


def reason(raised: BaseException) -> KafkaError:
    """Return what librdkafka said; raise what it did not say."""
    first = cause(raised)
    if not isinstance(first, KafkaException):
        raise raised
    error: KafkaError = first.args[0]
    return error


def as_kafka_python(error: KafkaError) -> errors.KafkaError:
    """Return kafka-python's error for librdkafka's."""
    code = error.code()
    if code > 0:
        return errors.for_code(code)(error.str())
    unnamed = errors.RetriableError if error.retriable() else errors.KafkaError
    return LOCAL.get(error.name(), unnamed)(f"{error.str()} ({error.name()})")


@contextmanager
def raised_as_kafka_python() -> Iterator[None]:
    """Raise kafka-python's errors for librdkafka's."""
    try:
        yield
    except FAILURES as error:
        raise as_kafka_python(reason(error)) from None


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise what librdkafka's errors mean to an operator."""
    try:
        with raised_as_kafka_python():
            yield
    except errors.KafkaError as error:
        raise translated(error, doing) from error


def opened(client: Callable[..., Any], properties: dict[str, Any]) -> Any:
    """Return `client(properties)`, whose log is ours; raise `ConfigError` for what it refuses."""
    try:
        return client(properties, logger=logging.getLogger("streamae.kafka.confluent"))
    except KafkaException as error:
        raise ConfigError(f"kafka: {error.args[0].str().strip()}") from error
