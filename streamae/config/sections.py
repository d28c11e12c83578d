"""Every configuration key: type, default, unit and reason. Nothing here reads a file.

A section is a frozen struct and a key is a field whose `Meta` holds its description; `file` loads
them, `rules` checks them together, and `reference` documents them. The defaults are a working
configuration of the embedded mode: files in, files out.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from streamae.config.hyperparameters import DetectorConfig
from streamae.config.kafka import KafkaConfig
from streamae.config.section import Change, Section, about
from streamae.config.values import Duration, Size

__all__ = [
    "AlertingConfig",
    "CommitConfig",
    "Config",
    "DeadLetterConfig",
    "DetectorConfig",
    "HttpConfig",
    "KafkaConfig",
    "LabelsConfig",
    "LogConfig",
    "OutputConfig",
    "RecordConfig",
    "SourceConfig",
    "StateConfig",
]


class SourceConfig(Section, frozen=True):
    kind: Annotated[
        Literal["file", "kafka", "host"],
        about("`file` and `kafka` read a log; `host` samples the machine streamae runs on."),
    ] = "file"
    path: Annotated[
        str, about("File to read, JSON Lines or CSV by its ending; `-` is standard input.")
    ] = "-"
    topic: Annotated[
        str | None,
        about("Name of the file's records in alerts and seeds; default: the file's stem."),
    ] = None
    follow: Annotated[bool, about("Wait for lines to be appended instead of ending.")] = False
    topics: Annotated[tuple[str, ...], about("Kafka topics to consume.")] = ()
    start: Annotated[
        Literal["earliest", "latest"],
        about(
            "Where a partition begins that was never committed; one that is added begins with its"
            " first record."
        ),
    ] = "earliest"
    max_poll_records: Annotated[
        int,
        about("Records taken per poll; decoding and scoring work on whole polls.", ge=1, le=100000),
    ] = 5000
    interval: Annotated[Duration, about("Time between two samples of `kind: host`.")] = Duration(1)


class RecordConfig(Section, frozen=True):
    format: Annotated[
        Literal["auto", "json", "float32", "csv"],
        about(
            "How a value is read; `auto` takes the content-type header, else JSON"
            " (CSV for files that end in .csv)."
        ),
    ] = "auto"
    features: Annotated[
        tuple[str, ...] | Literal["auto"],
        about(
            "Names in order; `auto` freezes the numbers of the first valid record, without those"
            " that are its own time.",
            "new model",
        ),
    ] = "auto"
    key_field: Annotated[
        str | None, about("Field that replaces the record key, the entity alerts are keyed by.")
    ] = None
    timestamp_field: Annotated[
        str | None, about("Field that replaces the record timestamp as event time.")
    ] = None
    timestamp_unit: Annotated[
        Literal["ms", "s"], about("Unit of a numeric timestamp; text is read as ISO 8601.")
    ] = "ms"
    max_bytes: Annotated[Size, about("Longer values are rejected before they are parsed.")] = Size(
        1 << 20
    )


CHANGE = " (change)"
"""Ends the name of a feature that is judged by its change."""


class AlertingConfig(Section, frozen=True):
    change: ClassVar[Change] = "live"

    budget: Annotated[
        float | str,
        about("Records flagged: a share such as `0.001`, or `20 per day` of event time."),
    ] = 0.001
    quiet_records: Annotated[
        int,
        about("An episode ends after so many records without a flagged one of its key.", ge=1),
    ] = 256
    critical_share: Annotated[
        float,
        about("Flagged records are critical below this share of the budget.", ge=0, le=1),
    ] = 0.1
    min_deviation: Annotated[
        float,
        about(
            "Standard deviations by which the feature to blame most has to be off for an alert.",
            ge=0,
        ),
    ] = 0.0
    up_only: Annotated[
        tuple[str, ...] | Literal["all"],
        about("Features whose falls raise no alert when most to blame; `all` for all of them."),
    ] = ()
    down_only: Annotated[
        tuple[str, ...] | Literal["all"],
        about("Features whose rises raise no alert when most to blame; `all` for all of them."),
    ] = ()
    cooldown: Annotated[
        Duration,
        about("Event time after an alert in which its key raises no other."),
    ] = Duration(0)
    cooldown_records: Annotated[
        int,
        about("Records after an alert in which its key raises no other.", ge=0),
    ] = 0
    top_features: Annotated[
        int, about("Features named in an alert, most important first.", ge=1, le=100)
    ] = 5


class LabelsConfig(Section, frozen=True):
    source: Annotated[
        str | None,
        about("Topic, or file of JSON Lines, that says which records were anomalies; null: none."),
    ] = None
    memory: Annotated[
        int,
        about("Latest records, and as many latest flagged ones, that a label can be about.", ge=1),
    ] = 4096
    examples: Annotated[
        int,
        about("Latest labelled records of each kind the head is fitted to.", ge=10, le=4096),
    ] = 256


class OutputConfig(Section, frozen=True):
    alerts: Annotated[str, about("Topic, or file; `-` is standard output.")] = "alerts.jsonl"
    scores: Annotated[str | None, about("Topic or file of all scores; null writes none.")] = None
    scores_per: Annotated[
        Literal["record", "block"], about("One score message per record, or one per block.")
    ] = "record"
    emit: Annotated[
        tuple[Literal["codes", "reconstruction"], ...],
        about(
            "What scores also carry: the `codes` of the records, or the `reconstruction` the codes"
            " stand for, a record without noise and with missing values filled in."
        ),
    ] = ()
    dead_letters: Annotated[str, about("Topic or file of rejected records.")] = "dead-letters.jsonl"


class DeadLetterConfig(Section, frozen=True):
    change: ClassVar[Change] = "live"

    max_consecutive: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        about("Stop (exit 65) after so many rejects in a row; null never stops."),
    ] = 10_000
    max_share: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        about("Stop (exit 65) when more than this share of `window` records is rejected."),
    ] = None
    window: Annotated[
        int, about("Records `max_share` is of; one window follows another.", ge=1)
    ] = 10_000


class CommitConfig(Section, frozen=True):
    change: ClassVar[Change] = "live"

    interval: Annotated[Duration, about("Longest time an output waits for its commit.")] = Duration(
        1
    )
    alert_interval: Annotated[
        Duration,
        about("Shortest time between two commits when an alert waits and no backlog does."),
    ] = Duration(0.05)
    max_outputs: Annotated[int, about("Commit early when so many outputs wait.", ge=1)] = 20_000


class StateConfig(Section, frozen=True):
    store: Annotated[
        Literal["directory", "topic"] | None,
        about("Where snapshots are kept; default: `topic` with `source.kind: kafka`."),
    ] = None
    directory: Annotated[str, about("Snapshots and the commit file; one daemon at a time.")] = (
        "state"
    )
    topic: Annotated[str, about("Compacted Kafka topic of snapshots.")] = "streamae-state"
    snapshot_interval: Annotated[
        Duration, about("Time between snapshots; a restart learns at most this much again.", "live")
    ] = Duration(10)
    keep: Annotated[
        int,
        about(
            "Snapshots kept per partition, each older one about twice as old as the next: 12 reach"
            " back 1,024 intervals at least, for `streamae checkpoint rollback`.",
            ge=2,
        ),
    ] = 12


class HttpConfig(Section, frozen=True):
    enabled: Annotated[bool, about("Serve metrics, health and the status page.")] = True
    host: Annotated[str, about("Address to listen on; anything but loopback is your choice.")] = (
        "127.0.0.1"
    )
    reload: Annotated[
        bool, about("Let `POST /-/reload` load the configuration again, as SIGHUP does.")
    ] = False
    port: Annotated[int, about("Port to listen on; 0 takes a free one.", ge=0, le=65535)] = 9109
    max_feature_labels: Annotated[
        int,
        about("Features with a metric series of their own; the others share one.", ge=0, le=10_000),
    ] = 50


class LogConfig(Section, frozen=True):
    level: Annotated[
        Literal["debug", "info", "warning", "error"], about("Least severity.", "live")
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "text"], about("`auto`: text on a terminal, else JSON.")
    ] = "auto"


class Config(Section, frozen=True):
    """The whole configuration."""

    name: Annotated[
        str,
        about("Names this detector in alerts and ids.", pattern=r"^[A-Za-z0-9._-]{1,100}$"),
    ] = "streamae"
    source: SourceConfig = msgspec.field(default_factory=SourceConfig)
    record: RecordConfig = msgspec.field(default_factory=RecordConfig)
    detector: DetectorConfig = msgspec.field(default_factory=DetectorConfig)
    alerting: AlertingConfig = msgspec.field(default_factory=AlertingConfig)
    labels: LabelsConfig = msgspec.field(default_factory=LabelsConfig)
    output: OutputConfig = msgspec.field(default_factory=OutputConfig)
    dead_letters: DeadLetterConfig = msgspec.field(default_factory=DeadLetterConfig)
    delivery: Annotated[
        Literal["exactly_once", "at_least_once"],
        about("`at_least_once` is for brokers without transactions; alert ids stay the same."),
    ] = "exactly_once"
    commit: CommitConfig = msgspec.field(default_factory=CommitConfig)
    state: StateConfig = msgspec.field(default_factory=StateConfig)
    kafka: KafkaConfig = msgspec.field(default_factory=KafkaConfig)
    http: HttpConfig = msgspec.field(default_factory=HttpConfig)
    log: LogConfig = msgspec.field(default_factory=LogConfig)
    watchdog_timeout: Annotated[
        Duration,
        about("Exit 75 after so long without progress while records wait or a broker call hangs."),
    ] = Duration(60)
    shutdown_timeout: Annotated[
        Duration, about("A stop that takes longer is cut short; the next start continues.", "live")
    ] = Duration(20)

    @property
    def state_store(self) -> Literal["directory", "topic"]:
        """Where snapshots are kept, the default resolved."""
        return self.state.store or ("topic" if self.source.kind == "kafka" else "directory")
