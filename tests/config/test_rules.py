"""What each rule says is in tests/config; here, what must pass."""

import msgspec
import pytest

from streamae.config import Config, OutputConfig, SourceConfig, StateConfig
from streamae.config.rules import check

KAFKA = Config(
    source=SourceConfig(kind="kafka", topics=("sensors",)),
    output=OutputConfig(alerts="alerts", dead_letters="rejects"),
)


@pytest.mark.parametrize("config", [Config(), KAFKA])
def test_sound(config: Config) -> None:
    assert list(check(config)) == []


def test_standard_input_and_output_share_a_name() -> None:
    output = OutputConfig(alerts="-")
    assert list(check(Config(source=SourceConfig(path="-"), output=output))) == []


def test_an_unused_state_topic_may_have_any_name() -> None:
    state = StateConfig(store="directory", topic="alerts")
    assert list(check(msgspec.structs.replace(KAFKA, state=state))) == []
    state = StateConfig(topic="alerts")
    assert [key for key, _ in check(msgspec.structs.replace(KAFKA, state=state))] == ["state.topic"]


def test_unused_topics_may_have_any_name() -> None:
    source = SourceConfig(topics=("alerts.jsonl",))
    assert list(check(Config(source=source))) == []


def test_at_least_once_with_kafka() -> None:
    assert list(check(msgspec.structs.replace(KAFKA, delivery="at_least_once"))) == []
