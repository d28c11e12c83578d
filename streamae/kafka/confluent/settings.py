"""Configuration -> properties of librdkafka; reasons that both clients share are in `settings`."""

from typing import Any

from streamae.config import Config
from streamae.kafka import settings

QUEUED_POLLS = 4
"""Polls read ahead: one in use, one waiting, and fetches for two under way."""

RENAMED = {
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
}


def connection(config: Config) -> dict[str, Any]:
    """Return what all clients share: where the brokers are and how to be let in."""
    given = settings.address(config)
    compared = given.pop("ssl_check_hostname")
    return {
        **properties(given),
        "bootstrap.servers": ",".join(given["bootstrap_servers"]),
        "ssl.endpoint.identification.algorithm": "https" if compared else "none",
    }


def consumer(config: Config) -> dict[str, Any]:
    """Return the settings of the group member that reads the input."""
    named = {"group.instance.id": config.kafka.instance} if config.kafka.instance else {}
    return {
        **connection(config),
        **named,
        "group.id": settings.group(config),
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": settings.milliseconds(config.kafka.session_timeout),
        "heartbeat.interval.ms": settings.heartbeat_ms(config),
        "max.poll.interval.ms": settings.milliseconds(config.kafka.max_poll_interval),
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        # Positions are told by records only; the end tells that control records were passed.
        "enable.partition.eof": True,
        "check.crcs": True,
        "max.partition.fetch.bytes": settings.PARTITION_FETCH_BYTES,
        "fetch.max.bytes": settings.FETCH_BYTES,
        "queued.min.messages": QUEUED_POLLS * config.source.max_poll_records,
        # A partition that was read ahead far enough rests for 1 s by default, in which a worker
        # does 150,000 records more than were read ahead.
        "fetch.queue.backoff.ms": 5,
    }


def producer(config: Config, *, transactional: bool) -> dict[str, Any]:
    """Return the settings of the writer."""
    return {
        **connection(config),
        **properties(settings.deliveries(config, transactional=transactional)),
        "message.max.bytes": settings.REQUEST_BYTES,
        # What waits here belongs to one commit, which `commit.max_outputs` bounds.
        "queue.buffering.max.messages": 0,
        "queue.buffering.max.kbytes": 2**31 - 1,
    }


def properties(keywords: dict[str, Any]) -> dict[str, Any]:
    """Return kafka-python's keywords under librdkafka's names; None is librdkafka's default."""
    return {
        RENAMED.get(name, name.replace("_", ".")): value
        for name, value in keywords.items()
        if value is not None
    }
