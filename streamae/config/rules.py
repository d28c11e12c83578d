"""What the keys of a configuration must be together; each rule with its own message."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamae.config.document import Violation
from streamae.config.keys import lookup
from streamae.config.sections import CHANGE, Config, OutputConfig
from streamae.config.values import Duration, parse_budget

_POSITIVE: Final = (
    "source.interval",
    "kafka.session_timeout",
    "kafka.max_poll_interval",
    "kafka.transaction_timeout",
    "kafka.connect_timeout",
    "watchdog_timeout",
)


def check(config: Config) -> Iterator[Violation]:
    """Yield every violation, in the order of the keys."""
    yield from _source(config)
    yield from _features(config)
    yield from _detector(config)
    yield from _time_zone(config)
    yield from _budget(config)
    yield from _directions(config)
    yield from _emit(config)
    yield from _channels(config)
    yield from _delivery(config)
    yield from _sasl(config)
    yield from _tls(config)
    yield from _times(config)


def _source(config: Config) -> Iterator[Violation]:
    if config.source.kind == "kafka" and not config.source.topics:
        yield "source.topics", "name at least one topic; `source.kind: kafka` reads them"


def _features(config: Config) -> Iterator[Violation]:
    if config.record.features == "auto":
        return
    if not config.record.features:
        yield "record.features", "name at least one feature, or say `auto`"
    if reason := config.detector.too_many(len(config.record.features)):
        yield "record.features", reason
    for name in _repeated(config.record.features):
        yield "record.features", f"'{name}' is named twice"
    features = set(config.record.features)
    for path in ("detector.diff", "detector.heavy_tails"):
        chosen = lookup(config, path)
        for name in () if chosen == "auto" else chosen:
            if name not in features:
                yield path, f"'{name}' is not among `record.features`"


def _time_zone(config: Config) -> Iterator[Violation]:
    name = config.detector.time_zone
    try:
        _ = name == "UTC" or ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "detector.time_zone", f"'{name}' is no time zone this machine knows"


def _detector(config: Config) -> Iterator[Violation]:
    for key, text in config.detector.violations():
        yield f"detector.{key}", text


def _budget(config: Config) -> Iterator[Violation]:
    try:
        parse_budget(config.alerting.budget)
    except ValueError as error:
        yield "alerting.budget", str(error)


def _directions(config: Config) -> Iterator[Violation]:
    up, down = config.alerting.up_only, config.alerting.down_only
    if up == down == "all":
        yield "alerting.down_only", "nothing could raise an alert: `up_only` is `all` as well"
        return
    both = set(up) & set(down) if "all" not in (up, down) else ()
    for name in sorted(both):
        yield "alerting.down_only", f"'{name}' is in `up_only` as well"
    if config.record.features == "auto":
        return
    features = set(config.record.features)
    for path, names in (("up_only", up), ("down_only", down)):
        for name in names if names != "all" else ():
            # A feature that is judged by its change is called so in alerts.
            if not {name, name.removesuffix(CHANGE)} & features:
                yield f"alerting.{path}", f"'{name}' is not in `record.features`"


def _emit(config: Config) -> Iterator[Violation]:
    if config.output.emit and config.output.scores is None:
        yield "output.emit", "scores carry them: name `output.scores`"


def _channels(config: Config) -> Iterator[Violation]:
    # Outputs that are also inputs would make the daemon read its own words for ever.
    kafka = config.source.kind == "kafka"
    taken = dict.fromkeys(config.source.topics, "source.topics") if kafka else {}
    if config.source.kind == "file" and config.source.path != "-":
        taken[_same_file(config.source.path)] = "source.path"
    if config.labels.source == "-":
        yield "labels.source", "name a file; labels are read again after a restart"
    paths = ["labels.source", "output.alerts", "output.scores", "output.dead_letters"]
    for path in [*paths, "state.topic"] if config.state_store == "topic" else paths:
        name = lookup(config, path)
        if name is None:
            continue
        identity = name if kafka else _same_file(name)
        if kafka and name in (OutputConfig().alerts, OutputConfig().dead_letters):
            yield path, f"name a topic; '{name}' is the default for files"
        elif identity in taken:
            yield path, f"'{name}' is already {taken[identity]}"
        taken.setdefault(identity, path)


def _delivery(config: Config) -> Iterator[Violation]:
    if config.source.kind == "kafka":
        return
    if config.delivery == "at_least_once":
        yield "delivery", "at_least_once is for `source.kind: kafka`; files are always exactly once"
    if config.state.store == "topic":
        yield "state.store", "`topic` needs `source.kind: kafka`"


def _sasl(config: Config) -> Iterator[Violation]:
    kafka = config.kafka
    if kafka.sasl_password is not None and kafka.sasl_password_file is not None:
        yield "kafka.sasl_password_file", "give the password or its file, not both"
    if not kafka.security_protocol.startswith("SASL_"):
        if kafka.sasl_mechanism is not None:
            yield "kafka.security_protocol", "SASL_PLAINTEXT or SASL_SSL is needed to log in"
        return
    if kafka.sasl_mechanism is None:
        yield "kafka.sasl_mechanism", f"{kafka.security_protocol} needs one"
    if not kafka.sasl_username:
        yield "kafka.sasl_username", f"{kafka.security_protocol} needs one"
    if not (kafka.sasl_password or kafka.sasl_password_file):
        yield "kafka.sasl_password_file", f"{kafka.security_protocol} needs a password"


def _tls(config: Config) -> Iterator[Violation]:
    if config.kafka.security_protocol.endswith("SSL"):
        return
    for path in ("kafka.ssl_cafile", "kafka.ssl_certfile", "kafka.ssl_keyfile"):
        if lookup(config, path) is not None:
            yield path, f"not used with `security_protocol: {config.kafka.security_protocol}`"


def _times(config: Config) -> Iterator[Violation]:
    for path in _POSITIVE:
        if lookup(config, path) <= 0:
            yield path, "must be more than 0"
    if config.commit.alert_interval > config.commit.interval:
        yield "commit.alert_interval", "must not exceed `commit.interval`"
    if config.source.kind == "kafka":
        yield from _kafka_times(config)


def _kafka_times(config: Config) -> Iterator[Violation]:
    transaction, session = config.kafka.transaction_timeout, config.kafka.session_timeout
    if transaction <= config.commit.interval:
        yield "kafka.transaction_timeout", _must_exceed("commit.interval", config.commit.interval)
    if config.kafka.max_poll_interval <= session:
        yield "kafka.max_poll_interval", _must_exceed("kafka.session_timeout", session)


def _must_exceed(path: str, value: Duration) -> str:
    return f"must exceed `{path}`, which is {value}"


def _same_file(name: str) -> str:
    """Return one name for every spelling of a path; `-` stays, it is no file."""
    return name if name == "-" else str(Path(name).resolve())


def _repeated(names: tuple[str, ...]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
