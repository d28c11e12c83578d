"""What kafka-python's exceptions mean to an operator, and connecting with a reason for failure."""

import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import errors
from kafka.net.compat import KafkaNetClient

from streamae.config import Config
from streamae.errors import (
    AuthenticationError,
    ConfigError,
    StreamaeError,
    TemporaryError,
    UnreachableError,
)

FIRST_TRY_S = 3.0
"""A refusal is known within one round trip, an absent broker only after the whole timeout."""

REFUSALS = (
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.AuthorizationError,
)


class Meaning(NamedTuple):
    """Our exception for some of kafka-python's, and what to do about them."""

    kinds: tuple[type[Exception], ...]
    raised: type[StreamaeError]
    advice: str


CODECS = (errors.UnsupportedCodecError, errors.UnsupportedCompressionTypeError)

MEANINGS = (
    Meaning(REFUSALS[:3], AuthenticationError, "authentication failed"),
    Meaning(
        (errors.TopicAuthorizationFailedError,),
        AuthenticationError,
        "an ACL of the topic is missing (Read on input, Write on output, both on the state topic)",
    ),
    Meaning(
        (errors.GroupAuthorizationFailedError,),
        AuthenticationError,
        "the ACL Read on the consumer group is missing",
    ),
    Meaning(
        (errors.TransactionalIdAuthorizationFailedError,),
        AuthenticationError,
        "the ACLs Write and Describe on the transactional id (prefix: the group) are missing",
    ),
    Meaning((errors.AuthorizationError,), AuthenticationError, "an ACL is missing"),
    Meaning(
        (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError),
        ConfigError,
        "a record is larger than max.message.bytes of its topic allows: raise that limit",
    ),
    Meaning(
        (errors.InvalidTimestampError,),
        ConfigError,
        "an event time lies outside message.timestamp.before/after.max.ms of the output topic",
    ),
    Meaning(
        (errors.InvalidRecordError,),
        ConfigError,
        "the settings of an output topic refuse a record, as message.timestamp.after.max.ms does an"
        " event time that is ahead",
    ),
    Meaning(
        (errors.UnknownTopicOrPartitionError, errors.InvalidTopicError),
        ConfigError,
        "a topic is missing; `streamae topics --create` makes what can be made",
    ),
    Meaning(
        CODECS,
        ConfigError,
        "the input is compressed with a codec whose Python package is not installed",
    ),
    Meaning(
        (errors.ProducerFencedError, errors.FencedInstanceIdError),
        TemporaryError,
        "another process uses this `kafka.instance`, or this one was silent for too long",
    ),
    Meaning(
        (errors.LogTruncationError,),
        TemporaryError,
        "records that were read are not there any more: the topic was made anew, or lost them with"
        " a broker",
    ),
    Meaning((errors.KafkaTimeoutError,), UnreachableError, "no broker answered in time"),
)


def translated(error: Exception, doing: str) -> StreamaeError:
    """Return what to raise for kafka-python's `error`, met while `doing` something."""
    root = cause(error)
    for meaning in MEANINGS:
        if isinstance(root, meaning.kinds):
            return meaning.raised(f"{doing}: {meaning.advice} ({root})")
    return TemporaryError(f"{doing}: {root}")


def overtaken(error: errors.KafkaError, verb: str, doing: str) -> StreamaeError:
    """Return what to raise for `error` where only the last `verb` that was begun may go on."""
    if isinstance(cause(error), errors.ProducerFencedError):
        return TemporaryError(f"another `{verb}` of this group is at work")
    return translated(error, doing)


def is_codec_missing(error: StreamaeError) -> bool:
    """Return whether kafka-python could not decompress what the other client can."""
    return isinstance(cause(error), CODECS)


def telling(failures: Iterable[errors.KafkaError]) -> errors.KafkaError | None:
    """Return why records failed, None when none did.

    Brokers refuse a batch for one of its records, and clients call that a plain error of the rest.
    """
    known = list(failures)
    named = [one for one in known if type(one) is not errors.KafkaError]
    return next(iter(named or known), None)


def cause(error: BaseException) -> BaseException:
    """Return the first cause; a failed transaction carries its own as an argument."""
    while (earlier := error.__cause__ or _argument(error)) is not None:
        error = earlier
    return error


def _argument(error: BaseException) -> BaseException | None:
    return next((item for item in error.args if isinstance(item, BaseException)), None)


def connect(client: Callable[..., Any], settings: dict[str, Any], config: Config) -> Any:
    """Return `client(**settings)` once a broker let it in.

    kafka-python keeps trying until its timeout and then says `Unable to bootstrap`; why is only in
    its log. Raise `AuthenticationError` with that reason after a few seconds, or `UnreachableError`
    when nothing answered within `kafka.connect_timeout`.
    """
    servers = ", ".join(config.kafka.bootstrap_servers)
    deadline_s = float(config.kafka.connect_timeout)
    first_s = min(FIRST_TRY_S, deadline_s)
    reasons: list[BaseException] = []
    for timeout_s in filter(None, (first_s, deadline_s - first_s)):
        with _logged_exceptions() as logged:
            opened = _attempt(client, settings, timeout_s)
        reasons = logged
        if opened is not None:
            return opened
        if refusal := next(filter(_is_refusal, reasons), None):
            raise AuthenticationError(f"authentication failed at {servers}: {refusal}")
    why = f" ({reasons[-1]})" if reasons else ""
    raise UnreachableError(f"no broker answered at {servers} within {deadline_s:g} s{why}")


def _attempt(client: Callable[..., Any], settings: dict[str, Any], timeout_s: float) -> Any | None:
    """Return the client, or None when the time is up; a constructor that fails leaves no socket."""
    networks: list[Any] = []

    def network(**configs: Any) -> Any:
        networks.append(KafkaNetClient(**configs))
        return networks[-1]

    timeout_ms = round(timeout_s * 1000)
    try:
        return client(**settings, kafka_client=network, bootstrap_timeout_ms=timeout_ms)
    except errors.KafkaTimeoutError:
        networks[-1].close()
        return None
    except (errors.KafkaConfigurationError, ssl.SSLError, AssertionError) as error:
        raise ConfigError(f"kafka: {error}") from error


def _is_refusal(reason: BaseException) -> bool:
    """Return whether trying again is in vain: a wrong password, an untrusted certificate."""
    return isinstance(reason, REFUSALS) or "certificate" in str(reason).lower()


@contextmanager
def _logged_exceptions() -> Iterator[list[BaseException]]:
    """Collect the exceptions that kafka-python only logs."""
    collector = _Collector(logging.WARNING)
    logger = logging.getLogger("kafka")
    logger.addHandler(collector)
    try:
        yield collector.seen
    finally:
        logger.removeHandler(collector)


class _Collector(logging.Handler):
    """Keeps the exceptions among the arguments of log records."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.seen: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.seen.extend(item for item in arguments if isinstance(item, BaseException))
