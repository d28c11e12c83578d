from pathlib import Path
from typing import Any

import pytest
import yaml

from streamae.config import Config, KafkaConfig, Secret, SourceConfig
from streamae.config.file import load, redact
from streamae.config.keys import keys, lookup
from streamae.errors import ConfigError

DIRECTORY = Path(__file__).parent
FINDINGS = (DIRECTORY / "findings.txt").read_text().splitlines()
"""What `streamae lint *.bad.yaml` prints, reviewed by eye."""

ENVIRON = {"NAME": "n", "SERVERS": "a:1, b:2", "EMPTY": "", "INJECTION": "[x]: {y: 1} # z"}

GOOD: dict[str, dict[str, Any]] = {
    "empty": {},
    "empty_sections": {},
    "text_stays_text": {
        "name": "0123",
        "source.path": "no",
        "source.topic": "null",
        "source.topics": ("1.0", "2026-01-01", "on"),
        "kafka.sasl_password": "1e5",
        "kafka.sasl_username": "",
    },
    "numbers": {
        "detector.seed": 1000,
        "dead_letters.max_consecutive": None,
        "dead_letters.max_share": 0.001,
        "http.enabled": False,
        "http.port": 9200,
    },
    "quantities": {
        "record.max_bytes": 65536,
        "commit.interval": 1.5,
        "commit.alert_interval": 0.02,
        "kafka.max_poll_interval": 600,
        "kafka.connect_timeout": 7200,
        "state.snapshot_interval": 86400,
    },
    "lists": {"source.topics": ("a", "b"), "kafka.bootstrap_servers": ("a:1", "b:2")},
    "variables": {
        "name": "n-west",
        "source.path": ENVIRON["INJECTION"],
        "source.topic": "${NAME}",
        "output.alerts": "$NAME n http://x:1/",
        "http.port": 9200,
    },
    "alerting": {
        "record.features": ("cpu (%)", "bytes_total"),
        "alerting.min_deviation": 2.0,
        "alerting.up_only": ("cpu (%)", "bytes_total (change)"),
        "alerting.down_only": (),
        "alerting.cooldown": 600,
        "alerting.cooldown_records": 500,
    },
    "budget_per_day": {"alerting.budget": "20 per day"},
    "kafka_secure": {
        "source.kind": "kafka",
        "source.topics": ("sensors",),
        "output.alerts": "alerts",
        "output.dead_letters": "rejects",
        "kafka.security_protocol": "SASL_SSL",
        "kafka.sasl_mechanism": "SCRAM-SHA-512",
        "kafka.sasl_username": "streamae",
        "kafka.sasl_password_file": "/run/secrets/kafka",
        "kafka.ssl_cafile": "ca.pem",
    },
}


def findings_of(*arguments: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*arguments)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.bad.yaml")), ids=lambda path: path.name)
def test_bad_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIRECTORY)
    expected = [line for line in FINDINGS if line.startswith(f"{path.name}:")]
    assert expected
    assert findings_of(Path(path.name)) == expected


def test_every_finding_has_its_file() -> None:
    names = {line.partition(":")[0] for line in FINDINGS}
    assert names == {path.name for path in DIRECTORY.glob("*.bad.yaml")}


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.good.yaml")), ids=lambda path: path.name)
def test_good_files(path: Path) -> None:
    config = load(path, environ=ENVIRON)
    expected = {name: key.default for name, key in keys().items()}
    expected |= GOOD[path.name.removesuffix(".good.yaml")]
    assert {name: lookup(config, name) for name in keys()} == expected


def test_values_have_the_types_of_the_structs() -> None:
    config = load(DIRECTORY / "text_stays_text.good.yaml", environ=ENVIRON)
    assert isinstance(config.kafka.sasl_password, Secret)
    for name, key in keys().items():
        if key.default is not None:
            assert type(lookup(config, name)) is type(key.default), name


def test_no_file_is_all_defaults() -> None:
    assert load(None) == Config()


def test_precedence(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("http: {port: 1}\nlog: {level: error}\nname: file\n")
    environ = {"STREAMAE_HTTP__PORT": "2", "STREAMAE_NAME": "environment"}
    config = load(file, ["http.port=3", "http.port=4"], environ)
    assert (config.log.level, config.name, config.http.port) == ("error", "environment", 4)


def test_places_outside_the_file() -> None:
    overrides = ["source.kind=kafak", "x.y=1", "log.level", "http.port=[1]"]
    findings = findings_of(None, overrides, {"STREAMAE_LOG__LEVLE": "info"})
    assert findings[0].startswith("$STREAMAE_LOG__LEVLE: log.levle: unknown key; did you mean 'lev")
    assert findings[1].startswith("--set: source.kind: expected one of file, kafka, host, got 'ka")
    assert findings[2].startswith("--set: x.y: unknown key (valid: name, source, record, ")
    assert findings[3] == "--set: expected KEY=VALUE, got 'log.level'"
    assert findings[4].endswith("from 0 to 65535, got a list")


def test_a_misspelt_section_is_guessed_from_the_path() -> None:
    assert "did you mean 'http.port'?" in findings_of(None, ["htpt.port=1"])[0]
    assert "did you mean 'source.topics'?" in findings_of(None, ["sorce.topic_s=1"])[0]


def test_rules_name_where_the_key_was_set() -> None:
    findings = findings_of(None, ["source.kind=kafka", "output.alerts=a"])
    assert findings[0].startswith("source.topics: name at least one topic")
    assert findings_of(None, ["alerting.budget=few"])[0].startswith("--set: alerting.budget: ")


def test_unreadable(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert findings_of(missing) == [f"{missing}: cannot be read: No such file or directory"]
    assert findings_of(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_long_values_are_cut() -> None:
    finding = findings_of(None, [f"http.port={'9' * 5000}"])[0]
    assert len(finding) < 160


def test_bytes_that_are_no_text() -> None:
    findings = findings_of(None, ['source.topics=["\\ud800"]'], {"STREAMAE_NAME": "\udcff"})
    assert findings == [
        "$STREAMAE_NAME: name: holds bytes that are no text",
        "--set: source.topics: holds bytes that are no text",
    ]


def test_redact() -> None:
    kafka = KafkaConfig(sasl_password=Secret("hunter2"), bootstrap_servers=("a:1",))
    shown = redact(Config(source=SourceConfig(), kafka=kafka))
    assert "hunter2" not in str(shown)
    assert (
        shown["kafka"]
        | {
            "sasl_password": "[redacted]",
            "ssl_key_password": None,
            "bootstrap_servers": ["a:1"],
        }
        == shown["kafka"]
    )
    assert shown["record"]["max_bytes"] == "1MiB"
    assert shown["commit"]["alert_interval"] == "50ms"


def test_redacted_defaults_load_again(tmp_path: Path) -> None:
    file = tmp_path / "echo.yaml"
    file.write_text(yaml.safe_dump(redact(Config())))
    assert load(file) == Config()


def test_state_store_follows_the_source() -> None:
    kafka = ["source.kind=kafka", "source.topics=t", "output={alerts: a, dead_letters: d}"]
    assert load(None).state_store == "directory"
    assert load(None, kafka).state_store == "topic"
    assert load(None, [*kafka, "state.store=directory"]).state_store == "directory"
