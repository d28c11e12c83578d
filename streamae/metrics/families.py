"""Every metric, declared once: kind, meaning, labels, buckets.

The names follow Prometheus: `streamae_`, base units, `_total` for counters. Labels are bounded: a
partition yes, a key or an offset never.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Literal, NamedTuple, get_args

from streamae.records import Severity
from streamae.types import Channel

Stage = Literal["decode", "score", "learn", "alert", "commit", "snapshot", "restore"]
Rebalance = Literal["assigned", "revoked", "lost"]
Outcome = Literal["committed", "retried"]

CHOICES: Mapping[str, Sequence[str]] = {
    "stage": get_args(Stage),
    "event": get_args(Rebalance),
    "outcome": get_args(Outcome),
    "severity": get_args(Severity),
    "channel": get_args(Channel),
}
"""Label values known beforehand: their series exist, at 0, before the first event."""

PARTITION = ("topic", "partition")

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""From one small block on one core (about 0.5 ms) to a commit that is nearly given up."""

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
"""From the time of one poll to a backlog of an hour."""

_SCORES = tuple(round(0.1 * 10 ** (i / 5), 3) for i in range(21))
"""Five buckets per factor of ten, 0.1 to 1000: scores are sums of logarithms."""

_RECORDS = tuple(4**i for i in range(9))
"""Powers of four up to 65,536."""


class Family(NamedTuple):
    """The declaration of one metric."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def per_partition(self) -> bool:
        """True when its series come and go with partitions."""
        return self.labels[:2] == PARTITION


class Metric(Enum):
    """All metrics."""

    BUILD_INFO = Family("gauge", "Always 1; what runs.", ("version", "torch", "device"))
    CONFIG_HASH_INFO = Family("gauge", "Always 1; tells configurations apart.", ("hash",))
    START_TIME_SECONDS = Family("gauge", "Unix time the daemon was started.")

    PARTITIONS_ASSIGNED = Family("gauge", "Partitions this process owns.")
    REBALANCES = Family("counter", "Partitions assigned, revoked or lost.", ("event",))
    POLL_SECONDS = Family("histogram", "Time one poll of the source took.", (), _SECONDS)
    CONSUMER_LAG_RECORDS = Family("gauge", "Records known to wait in the input.", PARTITION)
    RECORDS_CONSUMED = Family("counter", "Records read.", PARTITION)
    CONSUMED_BYTES = Family("counter", "Bytes of the values read.", PARTITION)
    BATCH_SIZE_RECORDS = Family("histogram", "Records of a partition in a poll.", (), _RECORDS)
    RECORDS_INVALID = Family("counter", "Records rejected.", (*PARTITION, "reason"))
    OFFSETS_LOST = Family("counter", "Offsets deleted before they could be read.", PARTITION)
    WATERMARK_TIMESTAMP_SECONDS = Family("gauge", "Latest event time read.", PARTITION)

    STAGE_DURATION_SECONDS = Family("histogram", "Time of one stage.", ("stage",), _SECONDS)
    SCORE = Family("histogram", "Anomaly scores.", PARTITION, _SCORES)
    THRESHOLD = Family("gauge", "Score from which a record is flagged.", PARTITION)
    RECORDS_JUDGED = Family("counter", "Records compared with the threshold.", PARTITION)
    RECORDS_FLAGGED = Family("counter", "Records above the threshold.", PARTITION)
    ALERT_RATE_TARGET = Family("gauge", "Share of records the budget allows.", PARTITION)
    ALERT_RATE_OBSERVED = Family(
        "gauge", "Share of about the last 100,000 judged records that was flagged.", PARTITION
    )
    ALERTS = Family("counter", "Alerts raised, one per episode.", (*PARTITION, "severity"))
    END_TO_END_LATENCY_SECONDS = Family(
        "histogram", "From a record's event time to the commit of its outputs.", (), _LATENCY
    )

    WARMUP_PROGRESS_RATIO = Family("gauge", "1 once alerts can be raised.", PARTITION)
    TRAIN_STEPS = Family("counter", "Blocks learnt.", PARTITION)
    TRAIN_LOSS = Family("gauge", "Loss of the last block learnt.", PARTITION)
    RECORDS_SUSPECTED = Family("counter", "Records that counted less in learning.", PARTITION)
    MODEL_GAIN_NATS = Family(
        "gauge", "Lead of the autoencoder over the best linear denoiser; 0 is none.", PARTITION
    )
    ACTIVE_LATENTS_RATIO = Family("gauge", "Share of hidden units active per record.", PARTITION)
    DEAD_LATENTS = Family("gauge", "Hidden units that respond to no record.", PARTITION)
    MODEL_RECORDS_SEEN = Family("gauge", "Records learnt, earlier runs included.", PARTITION)
    RECORDS_RELEARNED = Family("counter", "Records learnt again after a restore.", PARTITION)

    COMMITS = Family("counter", "Commits by outcome.", ("outcome",))
    LAST_COMMIT_TIMESTAMP_SECONDS = Family("gauge", "Unix time of the last commit.")
    OUTPUTS = Family("counter", "Messages committed.", ("channel",))
    SNAPSHOTS = Family("counter", "Snapshots committed.", PARTITION)
    SNAPSHOT_BYTES = Family("gauge", "Size of the last snapshot.", PARTITION)
    SNAPSHOT_LAST_SUCCESS_TIMESTAMP_SECONDS = Family(
        "gauge", "Unix time of the last committed snapshot.", PARTITION
    )

    @property
    def exposed(self) -> str:
        """The name Prometheus sees."""
        suffix = "_total" if self.value.kind == "counter" else ""
        return f"streamae_{self.name.lower()}{suffix}"


def reference() -> str:
    """Return the table of all metrics in Markdown."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in Metric:
        family = metric.value
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{metric.exposed}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(rows) + "\n"
