"""TLS, SCRAM and ACLs: right credentials work, wrong ones say what is wrong, soon."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from streamae.cli import main
from streamae.config import Config, Duration, KafkaConfig, Secret
from streamae.config.file import redact
from streamae.dead_letters import Letter
from streamae.dryrun import checks
from streamae.errors import AuthenticationError, UnreachableError
from streamae.kafka import GroupOffsets, TopicSender, connect
from streamae.types import Output, TopicPartition
from tests.kafka.broker import Broker, Tls
from tests.kafka.certificates import issue
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named
from tests.kafka.conftest import Client
from tests.kafka.worker import Member, commit

Configured = Callable[..., Config]

FIRST_TO_CONNECT = pytest.mark.parametrize("client", ["kafka-python"])
"""Whichever client is configured, topics are checked with this one before."""

PASSWORD = "correct horse"  # noqa: S105  The only use of it is here.


class Secured(NamedTuple):
    broker: Broker
    cluster: Cluster
    tls: Tls


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("secured")
    tls = issue(directory / "pem")
    with (
        Broker(directory / "kafka", tls=tls, users={"alice": PASSWORD}) as broker,
        Cluster(broker.bootstrap) as cluster,
    ):
        yield Secured(broker, cluster, tls)


def allow(cluster: Cluster, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
    """Allow alice some operations on everything whose name starts with `name`."""
    pattern = ResourcePattern(kind, name, ACLResourcePatternType.PREFIXED)
    granted = [ACL("User:alice", "*", one, ACLPermissionType.ALLOW, pattern) for one in operations]
    assert not cluster.admin.create_acls(granted)["failed"]


def allow_all(cluster: Cluster, config: Config, *, but: ResourceType | None = None) -> None:
    """Grant what the documentation says is needed, except on one kind of resource."""
    both = (ACLOperation.READ, ACLOperation.WRITE)
    needed = {
        ResourceType.TOPIC: both,
        ResourceType.GROUP: (ACLOperation.READ,),
        ResourceType.TRANSACTIONAL_ID: (ACLOperation.WRITE, ACLOperation.DESCRIBE),
    }
    for kind, operations in needed.items():
        if kind is not but:
            allow(cluster, kind, config.name, *operations)


@pytest.fixture
def configured(secured: Secured, client: Client) -> Configured:
    """Return a maker of configurations with alice's credentials and topics of their own."""

    def make(**kafka: Any) -> Config:
        right = {
            "client": client,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "alice",
            "sasl_password": Secret(PASSWORD),
            "ssl_cafile": str(secured.tls.authority),
            "connect_timeout": Duration(10),
        }
        config = named(secured.broker.secure_bootstrap, **{**right, **kafka})
        secured.cluster.prepare(config)
        return config

    return make


def test_right_credentials_are_let_in(
    secured: Secured, configured: Configured, tmp_path: Path
) -> None:
    password_file = tmp_path / "password"
    password_file.write_text(PASSWORD + "\n")
    config = configured(sasl_password=None, sasl_password_file=str(password_file))
    allow_all(secured.cluster, config)
    one = TopicPartition(config.source.topics[0], 0)
    secured.cluster.write(one.topic, [b"a"])
    with Member(config) as member:
        member.poll_until(lambda m: m.values() == [b"a"])
        assert member.sink.commit(commit(one, 1, b"x", snapshot=b"s"))
    assert secured.cluster.values(config.output.alerts) == [b"x"]


@FIRST_TO_CONNECT
@pytest.mark.parametrize(
    "wrong",
    [
        {"sasl_password": Secret("wrong horse")},
        {"sasl_username": "bob"},
        {"sasl_mechanism": "PLAIN"},
        {"ssl_cafile": None},
    ],
    ids=["password", "user", "mechanism", "system authorities"],
)
def test_wrong_credentials_are_named(
    secured: Secured,
    configured: Configured,
    wrong: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = configured(**wrong)
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(AuthenticationError, match="authentication failed at 127") as raised,
    ):
        connect(config)
    assert "horse" not in str(raised.value)
    assert "wrong horse" not in caplog.text


@FIRST_TO_CONNECT
def test_untrusted_certificate(secured: Secured, configured: Configured, tmp_path: Path) -> None:
    other = issue(tmp_path)
    with pytest.raises(AuthenticationError, match="certificate verify failed"):
        connect(configured(ssl_cafile=str(other.authority)))


@FIRST_TO_CONNECT
def test_a_listener_of_another_protocol_is_not_reached(
    secured: Secured, configured: Configured
) -> None:
    servers = (secured.broker.secure_bootstrap,)
    plain = KafkaConfig(bootstrap_servers=servers, connect_timeout=Duration(1))
    config = msgspec.structs.replace(configured(), kafka=plain)
    with pytest.raises(UnreachableError, match="127"):
        connect(config)


@FIRST_TO_CONNECT
def test_missing_topic_acl(secured: Secured, configured: Configured) -> None:
    config = configured()
    with pytest.raises(AuthenticationError, match=config.source.topics[0]):
        connect(config)
    allow(secured.cluster, ResourceType.TOPIC, config.name, ACLOperation.READ)
    with pytest.raises(AuthenticationError, match=f"{config.output.alerts}.*WRITE"):
        connect(config)


@FIRST_TO_CONNECT
def test_a_dry_run_names_every_missing_acl(secured: Secured, configured: Configured) -> None:
    config = configured()
    failed = {check.subject: check.text for check in checks(config, 1) if check.verdict == "fail"}
    output = config.output
    assert failed[config.source.topics[0]] == "input: the ACL READ is missing"
    assert failed[output.alerts] == "alerts: the ACL WRITE is missing"
    assert failed[output.dead_letters] == "dead letters: the ACL WRITE is missing"
    assert failed[config.state.topic] == "state: the ACL READ and WRITE is missing"
    assert "Read on the consumer group" in failed["group"]
    assert "transactional id" in failed["transactions"]
    allow_all(secured.cluster, config)
    warned = [check for check in checks(config, 1) if check.verdict != "ok"]
    assert [check.verdict for check in warned] == ["warn", "warn"]
    assert "the ACL DescribeConfigs is missing: the brokers" in warned[0].text
    assert warned[1].text == "holds no records to look at"


@FIRST_TO_CONNECT
def test_a_dry_run_says_that_the_password_is_wrong(
    configured: Configured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka = configured().kafka
    (tmp_path / "password").write_text("wrong horse")
    keys = ("security_protocol", "sasl_mechanism", "sasl_username", "ssl_cafile")
    settings = {key: getattr(kafka, key) for key in keys} | {
        "bootstrap_servers": list(kafka.bootstrap_servers),
        "sasl_password_file": str(tmp_path / "password"),
    }
    sections = {
        "source": {"kind": "kafka", "topics": ["x"]},
        "output": {"alerts": "y", "dead_letters": "z"},
        "kafka": settings,
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(sections))
    assert main(["dry-run", "-c", str(tmp_path / "c.yaml")]) == 77
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("fail  kafka: authentication failed at 127")
    assert "horse" not in said.out + said.err
    assert said.err == ""


@FIRST_TO_CONNECT
def test_letters_go_back_only_with_the_acl(secured: Secured, configured: Configured) -> None:
    config = configured()
    allow(secured.cluster, ResourceType.TOPIC, config.name, ACLOperation.READ)
    both = (ACLOperation.WRITE, ACLOperation.DESCRIBE)
    allow(secured.cluster, ResourceType.TRANSACTIONAL_ID, config.name, *both)
    one = TopicPartition(config.source.topics[0], 0)
    letter = Letter(0, "empty", Output("dead_letters", one, b"k", b"v"))
    sender = TopicSender(config, dry=False)
    with pytest.raises(AuthenticationError, match=one.topic):
        sender.send(one, [letter])
    sender.close()
    assert secured.cluster.values(one.topic) == []


@FIRST_TO_CONNECT
def test_nothing_goes_back_without_the_acl(configured: Configured) -> None:
    with pytest.raises(AuthenticationError, match="Read on the consumer group"):
        GroupOffsets(configured())


def test_missing_group_acl(secured: Secured, configured: Configured) -> None:
    config = configured()
    allow_all(secured.cluster, config, but=ResourceType.GROUP)
    with Member(config) as member, pytest.raises(AuthenticationError, match=config.name):
        member.poll_until(lambda m: bool(m.owned))


def test_missing_transactional_id_acl(secured: Secured, configured: Configured) -> None:
    config = configured()
    allow_all(secured.cluster, config, but=ResourceType.TRANSACTIONAL_ID)
    with pytest.raises(AuthenticationError, match="transactional id"):
        connect(config)


@FIRST_TO_CONNECT
def test_looking_back_names_the_missing_acl(
    secured: Secured, configured: Configured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    secured.cluster.write(one.topic, [b'{"a": 1}'])
    output = config.output
    document = redact(config)
    document["kafka"]["sasl_password"] = PASSWORD
    file = tmp_path / "streamae.yaml"
    file.write_text(yaml.safe_dump(document))

    def refused(verb: str, *arguments: str) -> str:
        assert main([verb, *arguments, "-c", str(file)]) == 77
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "topic" in refused("replay")
    for topic in (one.topic, config.state.topic):
        allow(secured.cluster, ResourceType.TOPIC, topic, ACLOperation.READ)
    for topic in (output.alerts, output.dead_letters):
        allow(secured.cluster, ResourceType.TOPIC, topic, ACLOperation.WRITE)
    assert "Read on the consumer group" in refused("replay")
    allow(secured.cluster, ResourceType.GROUP, config.name, ACLOperation.READ)
    assert output.alerts in refused("replay")
    assert output.alerts in refused("explain", "0123456789abcdef")
    allow(secured.cluster, ResourceType.TOPIC, output.alerts, ACLOperation.READ)
    assert main(["replay", "-c", str(file)]) == 0
