"""What each rule says is in tests/config; here, what must pass."""

import msgspec
import pytest

from streamae.config import (
    Config,
    DetectorConfig,
    OutputConfig,
    RecordConfig,
    SourceConfig,
    StateConfig,
)
from streamae.config.document import Violation
from streamae.config.hyperparameters import MAX_COLUMNS
from streamae.config.rules import check

KAFKA = Config(
    source=SourceConfig(kind="kafka", topics=("sensors",)),
    output=OutputConfig(alerts="alerts", dead_letters="rejects"),
)


@pytest.mark.parametrize("config", [Config(), KAFKA])
def test_sound(config: Config) -> None:
    assert list(check(config)) == []


@pytest.mark.parametrize(("n", "lag"), [(MAX_COLUMNS, 0), (MAX_COLUMNS // 4, 3)])
def test_as_many_features_as_memory_takes(n: int, lag: int) -> None:
    def findings(n: int) -> list[Violation]:
        features = tuple(map(str, range(n)))
        return list(
            check(Config(record=RecordConfig(features=features), detector=DetectorConfig(lag=lag)))
        )

    assert findings(n) == []
    ((key, reason),) = findings(n + 1)
    assert key == "record.features"
    assert f"{n + 1:,} features" in reason
    assert "16,384 are the most" in reason


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
