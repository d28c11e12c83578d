"""What is confluent-kafka's own; `test_source` and `test_sink` run with both clients."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from kafka import errors

from streamae.config import Config, KafkaConfig
from streamae.config.values import Duration, Secret
from streamae.errors import ConfigError, TemporaryError
from streamae.kafka import connect
from streamae.kafka.confluent import ConfluentWriter, settings
from streamae.kafka.confluent.faults import as_kafka_python
from streamae.types import Commit, TopicPartition
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named
from tests.kafka.test_kill import check
from tests.kafka.worker import Member, alert, commit

Configured = Callable[..., Config]

N_KILLS = 5


@pytest.fixture
def client() -> str:
    return "confluent"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.GROUP_AUTHORIZATION_FAILED, errors.GroupAuthorizationFailedError),
        (KafkaError.MSG_SIZE_TOO_LARGE, errors.MessageSizeTooLargeError),
        (KafkaError._MSG_TIMED_OUT, errors.KafkaTimeoutError),
        (KafkaError._FENCED, errors.ProducerFencedError),
        (KafkaError._PURGE_QUEUE, errors.Cancelled),
        (KafkaError._INVALID_ARG, errors.KafkaError),
    ],
)
def test_errors_are_those_of_kafka_python(code: int, kind: type[Exception]) -> None:
    assert type(as_kafka_python(KafkaError(code))) is kind


def test_retriable_errors_of_librdkafka_can_be_retried() -> None:
    retriable = KafkaError(KafkaError._STATE, "busy", False, True)
    assert type(as_kafka_python(retriable)) is errors.RetriableError


@pytest.mark.parametrize(("compared", "algorithm"), [(True, "https"), (False, "none")])
def test_security_under_the_names_of_librdkafka(
    compared: bool, algorithm: str, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    given = KafkaConfig(
        bootstrap_servers=("a:1", "b:2"),
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="alice",
        sasl_password=Secret("hunter2"),
        ssl_cafile=str(authority),
        ssl_check_hostname=compared,
    )
    found = settings.connection(Config(kafka=given))
    assert found["bootstrap.servers"] == "a:1,b:2"
    assert found["sasl.password"] == "hunter2"
    assert found["ssl.ca.location"] == str(authority)
    assert found["ssl.endpoint.identification.algorithm"] == algorithm
    assert "ssl.key.location" not in found
    assert "hunter2" not in repr(found)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("streamae.kafka.confluent")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ConfigError, match=r"pip install 'streamae\[confluent\]'"):
        connect(named("localhost:1", client="confluent"))


def test_what_librdkafka_does_not_accept_is_a_configuration_error(configured: Configured) -> None:
    with pytest.raises(ConfigError, match=r"request\.timeout\.ms.*outside allowed range"):
        connect(configured(transaction_timeout=Duration(3000)))


def test_first_millisecond_of_1970(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        assert member.sink.commit(Commit([alert(one, b"x", timestamp_ms=0)], {one: 1}))
    assert [record.timestamp for record in cluster.read(config.output.alerts)] == [1]


def test_a_writer_that_was_ended_is_renewed(configured: Configured, cluster: Cluster) -> None:
    config = configured(instance="a")
    target = TopicPartition(config.output.alerts, 0)
    writer = ConfluentWriter(config, transactional=True)
    writer.begin()
    writer.send(target, b"k", b"first")
    ConfluentWriter(config, transactional=True).close()
    with pytest.raises(errors.ProducerFencedError):
        writer.commit()
    writer.renew()
    writer.begin()
    writer.send(target, b"k", b"second")
    writer.commit()
    writer.close()
    assert cluster.values(config.output.alerts) == [b"second"]


class Answerless:
    """A producer that commits and then says that nothing was heard."""

    def __init__(self, producer: object) -> None:
        self._producer = producer

    def __getattr__(self, name: str) -> object:
        return getattr(self._producer, name)

    def commit_transaction(self, timeout_s: float) -> None:
        self._producer.commit_transaction(timeout_s)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", False, True))


def test_commit_without_an_answer_is_not_repeated(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"a"])
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        member.sink._writer._producer = Answerless(member.sink._writer._producer)
        with pytest.raises(TemporaryError, match="no answer"):
            member.sink.commit(commit(one, 1, b"x"))
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        found = member.committed[one]
        assert found is not None
        assert found.offset == 1
    assert cluster.values(config.output.alerts) == [b"x"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kill_changes_nothing(broker: Broker, cluster: Cluster, tmp_path: Path) -> None:
    kills = check(cluster, tmp_path, N_KILLS, seed=3, client="confluent")
    print(kills)
    assert kills.under_load
