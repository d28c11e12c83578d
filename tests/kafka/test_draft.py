import json
from pathlib import Path

import pytest

from streamae.cli import main
from streamae.config.file import load
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named


@pytest.mark.kafka
def test_a_configuration_is_drafted_from_the_latest_records_of_each_partition(
    broker: Broker, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (topic,) = named(broker.bootstrap).source.topics
    cluster.create(topic, partitions=2)
    for partition, low in ((0, 5), (1, 50)):
        rows = [{"old": 1}] + [{"a": low + row % 3, "who": f"w{row % 2}"} for row in range(60)]
        cluster.write(topic, [json.dumps(row).encode() for row in rows], partition)
    assert main(["config", "init", f"kafka://{broker.bootstrap}/{topic}", "--records", "120"]) == 0
    text = capsys.readouterr().out
    assert "from 120 records." in text
    assert "- a  # 5 to 52, mean 28.5" in text
    assert "# Each of the 2 partitions has a budget of its own." in text
    drafted = tmp_path / "drafted.yaml"
    drafted.write_text(text)
    config = load(drafted)
    assert (config.name, config.source.topics) == (topic, (topic,))
    assert config.record.features == ("a",)
    assert config.record.key_field is None  # The records have keys.
    assert config.kafka.bootstrap_servers == (broker.bootstrap,)
    assert config.output.dead_letters == f"{topic}-rejected"


@pytest.mark.kafka
def test_a_topic_that_is_not_there(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", f"kafka://{broker.bootstrap}/no-such-topic"]) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert "no-such-topic" in line
