import time

import msgspec
import pytest
from kafka import KafkaConsumer, errors

from streamae.config import Config, Duration, KafkaConfig
from streamae.errors import (
    AuthenticationError,
    ConfigError,
    StreamaeError,
    TemporaryError,
    UnreachableError,
)
from streamae.kafka import settings
from streamae.kafka.faults import connect, translated
from tests.kafka.broker import free_ports


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (errors.SaslAuthenticationFailedError(), AuthenticationError),
        (errors.TopicAuthorizationFailedError({"t"}), AuthenticationError),
        (errors.GroupAuthorizationFailedError("g"), AuthenticationError),
        (errors.TransactionalIdAuthorizationFailedError(), AuthenticationError),
        (errors.ClusterAuthorizationFailedError(), AuthenticationError),
        (errors.MessageSizeTooLargeError(), ConfigError),
        (errors.InvalidTimestampError(), ConfigError),
        (errors.UnknownTopicOrPartitionError(), ConfigError),
        (errors.UnsupportedCodecError("lz4"), ConfigError),
        (errors.ProducerFencedError(), TemporaryError),
        (errors.FencedInstanceIdError(), TemporaryError),
        (errors.InvalidTxnStateError(), TemporaryError),
        (errors.KafkaTimeoutError(), UnreachableError),
    ],
)
def test_each_error_has_a_meaning(error: Exception, raised: type[StreamaeError]) -> None:
    meaning = translated(error, "committing")
    assert type(meaning) is raised
    assert str(meaning).startswith("committing: ")


def test_the_first_cause_decides() -> None:
    inner = errors.TopicAuthorizationFailedError({"secret-plans"})
    wrapped = errors.KafkaError("Cannot perform send", inner)
    outer = errors.KafkaError("outer")
    outer.__cause__ = wrapped
    assert isinstance(translated(outer, "sending"), AuthenticationError)
    assert "secret-plans" in str(translated(outer, "sending"))


def test_nothing_listening_is_unreachable_in_time() -> None:
    servers = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    kafka = KafkaConfig(bootstrap_servers=servers, connect_timeout=Duration(1))
    config = msgspec.structs.replace(Config(), kafka=kafka)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=f"{servers[0]}, {servers[1]}"):
        connect(KafkaConsumer, settings.reader(config), config)
    assert time.monotonic() - began < 20  # Not the client's default of 30 s.
