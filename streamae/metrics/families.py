"""Every metric, declared once: kind, meaning, labels, buckets.

The names follow Prometheus: `streamae_`, base units, `_total` for counters. Labels are bounded: a
partition yes, a key or an offset never.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Literal, NamedTuple, get_args

from streamae.records import Severity, Suppression
from streamae.types import Channel

Stage = Literal["decode", "score", "alert", "train", "checkpoint", "commit", "restore"]
Rebalance = Literal["assigned", "revoked", "lost"]
Outcome = Literal["committed", "aborted"]
Reload = Literal["success", "failure"]
Where = Literal["input", "score", "loss"]

CHOICES: Mapping[str, Sequence[str]] = {
    "stage": get_args(Stage),
    "event": get_args(Rebalance),
    "outcome": get_args(Outcome),
    "severity": get_args(Severity),
    "channel": get_args(Channel),
    "where": get_args(Where),
}
"""Label values known beforehand: their series exist, at 0, before the first event."""

PARTITION = ("topic", "partition")

_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
"""From scoring one record (about 0.1 ms) to a commit that the watchdog gives up."""

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
    choices: tuple[str, ...] = ()
    """Values of the last label, where other metrics give that label others."""

    @property
    def per_partition(self) -> bool:
        """True when its series come and go with partitions."""
        return self.labels[:2] == PARTITION

    def described(self, label: str) -> str:
        """Return the label, with its values where they are known beforehand, in Markdown."""
        last = self.choices if label == self.labels[-1] else ()
        values = last or CHOICES.get(label, ())
        return f"`{label}`: {' '.join(values)}" if values else f"`{label}`"


class Metric(Enum):
    """All metrics."""

    BUILD_INFO = Family(
        "gauge", "Always 1; its labels say what runs.", ("version", "torch", "device")
    )
    CONFIG_HASH_INFO = Family(
        "gauge", "Always 1; its label differs between configurations.", ("hash",)
    )
    CONFIG_RELOADS = Family(
        "counter",
        "Reloads of the configuration; a failed one changed nothing.",
        ("outcome",),
        choices=get_args(Reload),
    )
    CONFIG_LAST_RELOAD_SUCCESSFUL = Family(
        "gauge", "1 unless the last reload failed and an earlier configuration is in force."
    )
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS = Family(
        "gauge", "Unix time the configuration in force was loaded."
    )
    START_TIME_SECONDS = Family("gauge", "Unix time the daemon was started.")
    AVAILABLE_MEMORY_BYTES = Family(
        "gauge", "Memory this process may use: the machine's, or its cgroup's limit if lower."
    )
    CPU_CORES_AVAILABLE = Family(
        "gauge", "CPUs this process may use, by affinity and cgroup quota; can be a fraction."
    )
    GPU_MEMORY_BYTES = Family(
        "gauge",
        "Memory of the CUDA device: allocated to tensors, reserved by this process, free, total.",
        ("kind",),
    )

    PARTITIONS_ASSIGNED = Family("gauge", "Partitions this process owns.")
    REBALANCES = Family("counter", "Partitions assigned, revoked or lost.", ("event",))
    POLL_SECONDS = Family("histogram", "Time one poll of the source took.", (), _SECONDS)
    BACKPRESSURE_SECONDS = Family(
        "counter", "Time spent on records in hand while others waited; a rate of 1 is saturation."
    )
    CONSUMER_LAG_RECORDS = Family("gauge", "Records known to wait in the input.", PARTITION)
    RECORDS_CONSUMED = Family("counter", "Records read, rejected ones included.", PARTITION)
    CONSUMED_BYTES = Family("counter", "Bytes of the values read.", PARTITION)
    BATCH_SIZE_RECORDS = Family("histogram", "Records of a partition in a poll.", (), _RECORDS)
    RECORDS_INVALID = Family(
        "counter", "Records rejected and sent to the dead letters.", (*PARTITION, "reason")
    )
    VALUES_MISSING = Family("counter", "Absent, null or NaN features of valid records.", PARTITION)
    NONFINITE = Family(
        "counter",
        "Records rejected for an infinite value; scores and losses that are not finite.",
        (*PARTITION, "where"),
    )
    OFFSETS_LOST = Family("counter", "Offsets deleted before they could be read.", PARTITION)
    WATERMARK_TIMESTAMP_SECONDS = Family(
        "gauge",
        "Latest event time read, of those at most five minutes ahead of this machine's clock.",
        PARTITION,
    )

    STAGE_DURATION_SECONDS = Family(
        "histogram", "Time of one stage, per block or per commit.", ("stage",), _SECONDS
    )
    SCORE = Family("histogram", "Anomaly scores; compare with the threshold.", PARTITION, _SCORES)
    THRESHOLD = Family("gauge", "Score from which a record is flagged now.", PARTITION)
    RECORDS_JUDGED = Family(
        "counter", "Records compared with the threshold, so none during warm-up.", PARTITION
    )
    RECORDS_FLAGGED = Family("counter", "Records at or above the threshold.", PARTITION)
    ALERT_P_VALUE = Family(
        "gauge",
        "P-value at which records are flagged: the target, corrected by how many were.",
        PARTITION,
    )
    ALERT_RATE_TARGET = Family("gauge", "Share of records the alert budget allows.", PARTITION)
    ALERT_RATE_OBSERVED = Family(
        "gauge", "Share flagged of about the last 100,000 records judged.", PARTITION
    )
    ALERTS = Family("counter", "Alerts raised, one per episode.", (*PARTITION, "severity"))
    ALERTS_BY_FEATURE = Family(
        "counter",
        "Alerts by the feature to blame most; features beyond `http.max_feature_labels` together"
        " are `other`.",
        (*PARTITION, "feature"),
    )
    EPISODES_OPEN = Family("gauge", "Keys that have alerted and not yet recovered.", PARTITION)
    DRIFT_EVENTS = Family(
        "counter", "Lasting shifts of level that were reported and became normal.", PARTITION
    )
    ALERTS_SUPPRESSED = Family(
        "counter",
        "Flagged records that raised no alert: their key's episode is open, or kept open by the"
        " cooldown, or the feature to blame deviates too little or in the wrong direction.",
        (*PARTITION, "reason"),
        choices=get_args(Suppression),
    )
    END_TO_END_LATENCY_SECONDS = Family(
        "histogram", "From a record's event time to the commit of its outputs.", (), _LATENCY
    )

    WARMUP_PROGRESS_RATIO = Family("gauge", "1 once alerts can be raised.", PARTITION)
    TRAIN_STEPS = Family("counter", "Blocks learnt.", PARTITION)
    TRAIN_LOSS = Family(
        "gauge", "Mean squared error of the last block; 1 is no better than the mean.", PARTITION
    )
    RECORDS_SUSPECTED = Family(
        "counter", "Records that counted less in learning, as likely anomalies.", PARTITION
    )
    RECORDS_WITHHELD = Family(
        "counter",
        "Records that p-values are not compared with, as those of an incident.",
        PARTITION,
    )
    SHIFTED_BLOCKS = Family(
        "gauge",
        "Blocks in a row in which a feature's level is shifted; drift once it lasts, 0 is none.",
        PARTITION,
    )
    KEYS_REMEMBERED = Family(
        "gauge", "Keys whose last records are known, for counters and `detector.lag`.", PARTITION
    )
    KEYS_FORGOTTEN = Family(
        "counter", "Keys forgotten because there are more than `detector.max_keys`.", PARTITION
    )
    MODEL_GAIN_NATS = Family(
        "gauge",
        "Lead of the autoencoder over the best linear denoiser, per record; 0 is none.",
        PARTITION,
    )
    ACTIVE_LATENTS_RATIO = Family("gauge", "Share of hidden units active per record.", PARTITION)
    DEAD_LATENTS = Family("gauge", "Hidden units active on under 1 record in 1,000.", PARTITION)
    MODEL_RECORDS_SEEN = Family("gauge", "Records learnt, earlier runs included.", PARTITION)
    RECORDS_RELEARNED = Family("counter", "Records learnt again after a restore.", PARTITION)

    LABELS = Family(
        "counter",
        "Labels taken: matched with their record, late for it, or no label at all.",
        (*PARTITION, "outcome"),
        choices=("matched", "late", "invalid"),
    )
    LABELS_WAITING = Family("gauge", "Labels taken whose record was not read yet.", PARTITION)
    HEAD_LOG_LOSS = Family(
        "gauge", "Mean -log P(label) of the last labelled records; 0.69 is guessing.", PARTITION
    )
    HEAD_ROC_AUC = Family(
        "gauge", "ROC-AUC of the head on them, from before it knew their labels.", PARTITION
    )

    TRANSACTIONS = Family(
        "counter",
        "Commits of outputs, state and offsets; aborted ones are tried again.",
        ("outcome",),
    )
    LAST_COMMIT_TIMESTAMP_SECONDS = Family("gauge", "Unix time of the last successful commit.")
    OUTPUTS = Family("counter", "Messages committed.", ("channel",))
    CHECKPOINTS = Family("counter", "Snapshots of the detector committed.", PARTITION)
    CHECKPOINT_FAILURES = Family("counter", "Commits of a snapshot that were aborted.", PARTITION)
    CHECKPOINT_BYTES = Family("gauge", "Size of the last snapshot.", PARTITION)
    CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS = Family(
        "gauge", "Unix time of the last committed snapshot.", PARTITION
    )
    CHECKPOINT_AGE_SECONDS = Family(
        "gauge", "Time since the last committed snapshot; grows while nothing is learnt.", PARTITION
    )

    @property
    def exposed(self) -> str:
        """The name Prometheus sees."""
        suffix = "_total" if self.value.kind == "counter" else ""
        return f"streamae_{self.name.lower()}{suffix}"


_PREFACE = """\
# Metrics

Served at `/metrics`. Series with the labels `topic` and `partition` are there while the process
owns the partition; counters and histograms start at 0, gauges with their first value. The usual
`process_*` metrics (CPU, memory, file descriptors, start time) come with them."""


_GROUPS = {
    Metric.BUILD_INFO: "Process",
    Metric.PARTITIONS_ASSIGNED: "Input",
    Metric.STAGE_DURATION_SECONDS: "Scores and alerts",
    Metric.WARMUP_PROGRESS_RATIO: "Learning",
    Metric.LABELS: "Labels",
    Metric.TRANSACTIONS: "Commits and state",
}
"""The first metric of each group, and what the group is called."""


def reference() -> str:
    """Return the page about all metrics in Markdown."""
    rows = [_PREFACE]
    for metric in Metric:
        family = metric.value
        if metric in _GROUPS:
            rows += ["", f"## {_GROUPS[metric]}", "", "| metric | kind | labels | meaning |"]
            rows += ["|---|---|---|---|"]
        labels = ", ".join(map(family.described, family.labels))
        rows.append(f"| `{metric.exposed}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(rows) + "\n"
