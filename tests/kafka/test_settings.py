from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamae.config import Config, Duration, KafkaConfig, Secret
from streamae.errors import ConfigError
from streamae.kafka import settings
from streamae.kafka.confluent import settings as confluent


def config(**kafka: Any) -> Config:
    return Config(name="watch", kafka=msgspec.structs.replace(KafkaConfig(), **kafka))


def test_group_is_the_name_unless_given() -> None:
    assert settings.group(config()) == "watch"
    assert settings.group(config(group="g")) == "g"


def test_transactional_id_is_stable_with_an_instance_and_unique_without() -> None:
    named = config(instance="a")
    assert settings.transactional_id(named) == settings.transactional_id(named) == "watch-a"
    nameless = config()
    assert settings.transactional_id(nameless) != settings.transactional_id(nameless)


def test_consumer_never_commits_or_guesses_by_itself() -> None:
    kwargs = settings.consumer(config(session_timeout=Duration(6), instance="a"))
    assert kwargs["enable_auto_commit"] is False
    assert kwargs["auto_offset_reset"] == "none"
    assert kwargs["isolation_level"] == "read_committed"
    assert kwargs["session_timeout_ms"] == 6000
    assert kwargs["heartbeat_interval_ms"] == 2000
    assert kwargs["group_instance_id"] == "a"


@pytest.mark.parametrize("timeout_s", [1.0, 15.0])
def test_deliveries_end_before_their_transaction(timeout_s: float) -> None:
    timeout = config(transaction_timeout=Duration(timeout_s))
    kwargs = settings.producer(timeout, transactional=True)
    assert kwargs["delivery_timeout_ms"] <= timeout_s * 1000
    assert kwargs["linger_ms"] + kwargs["request_timeout_ms"] <= kwargs["delivery_timeout_ms"]


def test_password_comes_from_a_file_and_shows_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    kwargs = settings.connection(
        config(sasl_password=Secret("other"), sasl_password_file=str(path))
    )
    assert kwargs["sasl_plain_password"] == "hunter2"  # noqa: S105  Of this test only.
    assert "hunter2" not in repr(kwargs)


@pytest.mark.parametrize("key", ["sasl_password_file", "ssl_cafile", "ssl_certfile", "ssl_keyfile"])
def test_a_missing_file_is_named_with_its_key(key: str, tmp_path: Path) -> None:
    path = tmp_path / "absent"
    with pytest.raises(ConfigError, match=rf"kafka\.{key}: .*absent"):
        settings.connection(config(**{key: str(path)}))


def test_both_clients_write_with_the_same_settings() -> None:
    named = config(instance="a")
    for transactional in (True, False):
        shared = settings.deliveries(named, transactional=transactional)
        librdkafka = confluent.producer(named, transactional=transactional)
        assert shared.items() <= settings.producer(named, transactional=transactional).items()
        assert confluent.properties(shared).items() <= librdkafka.items()


@pytest.mark.parametrize("transactional", [True, False])
def test_order_is_kept_with_and_without_transactions(transactional: bool) -> None:
    kwargs = settings.producer(config(instance="a"), transactional=transactional)
    assert kwargs.get("transactional_id") == ("watch-a" if transactional else None)
    assert kwargs.get("max_in_flight_requests_per_connection") == (None if transactional else 1)
