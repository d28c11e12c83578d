"""Configuration -> keyword arguments of kafka-python's clients; every deviation has its reason."""

import os
import secrets
import socket
import ssl
from pathlib import Path
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from streamae.config import Config, KafkaConfig, Secret
from streamae.errors import ConfigError, why
from streamae.kafka import tls

PARTITION_FETCH_BYTES = 16 << 20
FETCH_BYTES = 64 << 20
REQUEST_BYTES = 64 << 20
BATCH_BYTES = 256 << 10

WRITER_CLOSE_S = 2.0
"""What is still on its way when a writer closes belongs to no commit."""

READER_CLOSE_MS = 1000
"""A reader is no member of a group and has nothing to say."""

ABORT_SCAN_S = 10
"""Brokers look for transactions past their timeout every 10 s."""

ORDERED = {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}
"""What keeps the order of records on brokers without transactions."""


def group(config: Config) -> str:
    """Return the consumer group: offsets, membership and snapshots belong to it."""
    return config.kafka.group or config.name


def transactional_id(config: Config) -> str:
    """Return an id that no other worker has.

    With `kafka.instance` it stays the same, so that a restarted worker ends what its predecessor
    left open. Without it the id is new each time, and the broker's timeout ends the rest.
    """
    if config.kafka.instance is not None:
        return f"{group(config)}-{config.kafka.instance}"
    return f"{group(config)}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def connection(config: Config) -> dict[str, Any]:
    """Return what all clients of kafka-python share."""
    return {**address(config), "ssl_context": _ssl_context(config.kafka)}


def address(config: Config) -> dict[str, Any]:
    """Return what both libraries share: where the brokers are and how to be let in."""
    return {
        "bootstrap_servers": list(config.kafka.bootstrap_servers),
        "client_id": "-".join(filter(None, (config.name, config.kafka.instance))),
        # A broker that comes back is noticed within a second; the default backs off to 30 s.
        "reconnect_backoff_max_ms": 1000,
        **_security(config.kafka),
    }


def consumer(config: Config) -> dict[str, Any]:
    """Return the settings of the group member that reads the input."""
    return {
        **reader(config),
        "group_id": group(config),
        "group_instance_id": config.kafka.instance,
        "partition_assignment_strategy": (CooperativeStickyAssignor,),
        "session_timeout_ms": milliseconds(config.kafka.session_timeout),
        "heartbeat_interval_ms": heartbeat_ms(config),
        "max_poll_interval_ms": milliseconds(config.kafka.max_poll_interval),
        "max_poll_records": config.source.max_poll_records,
        "isolation_level": "read_committed",
    }


def reader(config: Config) -> dict[str, Any]:
    """Return the settings of any consumer: offsets are given, never guessed or committed."""
    return {
        **connection(config),
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "allow_auto_create_topics": False,
        # A poll of 5,000 records of 700 bytes is 3.5 MB: four fetches with the default of 1 MiB.
        "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
        "fetch_max_bytes": FETCH_BYTES,
        "metrics_enabled": False,
    }


def producer(config: Config, *, transactional: bool) -> dict[str, Any]:
    """Return the settings of the writer; a new transactional id each time without an instance."""
    return {
        **connection(config),
        **deliveries(config, transactional=transactional),
        # The broker's limit decides what is too large, and its answer names it.
        "max_request_size": REQUEST_BYTES,
        "max_block_ms": milliseconds(config.kafka.connect_timeout),
        "metrics_enabled": False,
    }


def deliveries(config: Config, *, transactional: bool) -> dict[str, Any]:
    """Return what the writers of both clients share."""
    timeout_ms = milliseconds(config.kafka.transaction_timeout)
    return {
        "allow_auto_create_topics": False,
        # The broker refuses a transaction while it still writes the marks of the last one. Measured
        # back to back: 107 ms each with the default of 100 ms, 9 ms with 5 ms.
        "retry_backoff_ms": 5,
        # Nothing waits for company: `flush` sends. Until then records gather into large batches.
        "linger_ms": 100,
        "batch_size": BATCH_BYTES,
        "acks": "all",
        # A record that arrives after its transaction was aborted is of no use.
        "request_timeout_ms": timeout_ms // 2,
        "delivery_timeout_ms": timeout_ms,
        **(_transactions(config) if transactional else ORDERED),
    }


def heartbeat_ms(config: Config) -> int:
    """Return the time between heartbeats: Kafka's usual 3 s, or three within a shorter session."""
    return min(3000, milliseconds(config.kafka.session_timeout) // 3)


def flush_s(config: Config) -> float:
    """Return how long a writer waits for the brokers to take what was sent."""
    return float(config.kafka.transaction_timeout + config.kafka.connect_timeout)


def unstable_s(config: Config) -> float:
    """Return how long readers may have to wait for a dead worker's transaction to be aborted."""
    return float(config.kafka.transaction_timeout + 2 * ABORT_SCAN_S)


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _transactions(config: Config) -> dict[str, Any]:
    return {
        "transactional_id": transactional_id(config),
        "transaction_timeout_ms": milliseconds(config.kafka.transaction_timeout),
    }


def _security(kafka: KafkaConfig) -> dict[str, Any]:
    return {
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_username,
        "sasl_plain_password": _password(kafka),
        "ssl_cafile": _existing("ssl_cafile", kafka.ssl_cafile),
        "ssl_certfile": _existing("ssl_certfile", kafka.ssl_certfile),
        "ssl_keyfile": _existing("ssl_keyfile", kafka.ssl_keyfile),
        "ssl_password": kafka.ssl_key_password,
        "ssl_check_hostname": kafka.ssl_check_hostname,
    }


def _ssl_context(kafka: KafkaConfig) -> ssl.SSLContext | None:
    if not kafka.security_protocol.endswith("SSL"):
        return None
    try:
        return tls.context(kafka)
    except ssl.SSLError as error:
        raise ConfigError(f"kafka.ssl_cafile, ssl_certfile, ssl_keyfile: {error}") from error


def _password(kafka: KafkaConfig) -> Secret | None:
    """Return the password as a `Secret`: kafka-python writes its settings into its debug log."""
    if kafka.sasl_password_file is None:
        return kafka.sasl_password
    try:
        text = Path(kafka.sasl_password_file).read_text(encoding="utf-8")
    except OSError as error:
        path = kafka.sasl_password_file
        raise ConfigError(f"kafka.sasl_password_file: cannot read {path}: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"kafka.sasl_password_file: {error}") from error
    return Secret(text.rstrip("\r\n"))


def _existing(key: str, path: str | None) -> str | None:
    """Return `path`; kafka-python would call a missing file a failed connection."""
    if path is not None and not Path(path).is_file():
        raise ConfigError(f"kafka.{key}: there is no file {path}")
    return path
