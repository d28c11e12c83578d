"""The shipped rules: each fires for what it names, alone, and resolves; a quiet day is quiet."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.deploy import dashboards
from tests.deploy.day import JOB, PARTITION, Day, series
from tests.deploy.promtool import promtool, unknown_metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus/rules.yaml"
PLACE = JOB | {"topic": PARTITION.topic, "partition": str(PARTITION.partition)}

Values = Mapping[str, str]
"""Series in promtool's notation, a value a minute: something is wrong for two hours, not later."""


def one(name: str, values: str, **labels: str) -> Values:
    """Return a series of the partition."""
    return {series(f"streamae_{name}", PLACE | labels): values}


def job(name: str, values: str, **labels: str) -> Values:
    """Return a series of the process."""
    return {series(name, JOB | labels): values}


UP = job("up", "1x240")
READING = one("records_consumed_total", "0+60000x240")

FIRING: Sequence[tuple[str, Values]] = [
    ("StreamaeDown", job("up", "0x120 1x120")),
    ("StreamaeAbsent", job("up", "_x121 1x120")),
    ("StreamaeTooManyRestarts", job("streamae_start_time_seconds", "0+1x120 120x120")),
    ("StreamaeReloadFailed", job("streamae_config_last_reload_successful", "0x120 1x120")),
    (
        "StreamaeMemoryHigh",
        job("process_resident_memory_bytes", "95x120 50x120")
        | job("streamae_available_memory_bytes", "100x240"),
    ),
    (
        "StreamaeFileDescriptors",
        job("process_open_fds", "90x120 9x120")
        | job("process_max_fds", "100x240")
        | job("streamae_start_time_seconds", "1x240"),
    ),
    (
        "StreamaeNoProgressWithLag",
        one("consumer_lag_records", "5x120 0x120")
        | one("records_consumed_total", "7x120 7+10x120"),
    ),
    ("StreamaeLagGrowing", one("consumer_lag_records", "20000+60x120 0x120") | READING),
    ("StreamaeLagTimeToDrain", one("consumer_lag_records", "900000-60x120 0x120") | READING),
    (
        "StreamaeDeadLetters",
        one("records_invalid_total", "0+3000x120 360000x120", reason="empty") | READING,
    ),
    ("StreamaeOffsetsLost", one("offsets_lost_total", "0+1x120 120x120")),
    (
        "StreamaeCommitStale",
        job("streamae_last_commit_timestamp_seconds", "0x120 7200+60x120") | READING,
    ),
    ("StreamaeCommitStale", job("streamae_start_time_seconds", "0x120 7200x5 _x120") | READING),
    (
        "StreamaeTransactionAborts",
        job("streamae_transactions_total", "0+12x120 1440x120", outcome="aborted")
        | job("streamae_transactions_total", "0+60x240", outcome="committed"),
    ),
    (
        "StreamaeCheckpointStale",
        one("checkpoint_age_seconds", "0+60x120 10x120") | one("train_steps_total", "0+1x240"),
    ),
    *(
        (
            "StreamaeAlertRateOffBudget",
            one("alert_rate_observed", f"{observed}x120 0.001x120")
            | one("alert_rate_target", "0.001x240")
            | one("records_judged_total", "0+6000x240"),
        )
        for observed in (0.004, 0.0001)
    ),
    (
        "StreamaeGuardSuspectsTooMuch",
        one("records_suspected_total", "0+30000x120 3600000x120") | READING,
    ),
    ("StreamaeDriftStorm", one("drift_events_total", "0+0.2x120 24x120")),
    ("StreamaeNonFinite", one("nonfinite_total", "0+1x120 120x120", where="score")),
    ("StreamaeWarmupStuck", one("warmup_progress_ratio", "0.25x120 0.25+0.01x75 1x45") | READING),
]

INNOCENT: Sequence[Values] = [
    # Two rejects of a slow feed, a commit refused by a rebalance, the odd record of a small budget.
    one("records_invalid_total", "0x60 2x180", reason="empty")
    | one("records_consumed_total", "0+1x240"),
    job("streamae_transactions_total", "0x60 1x180", outcome="aborted")
    | job("streamae_transactions_total", "0+0.1x240", outcome="committed"),
    one("alert_rate_observed", "0.00005x240")
    | one("alert_rate_target", "0.00001x240")
    | one("records_judged_total", "0+60000x240"),
    # One record in ten minutes: each is committed long before the next one comes.
    one("records_consumed_total", "0x9 1x9 2x9 3x9 4x9 5x9 6x9")
    | job("streamae_last_commit_timestamp_seconds", "0x9 600x9 1200x9 1800x9 2400x9 3000x9"),
]


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def case(values: Values, expected: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a test; `expected` are the names of the alerts that fire, by time."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": given} for name, given in values.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": time,
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": 1} for name in names
                ],
            }
            for time, names in expected.items()
        ],
    }


def check(directory: Path, *cases: Mapping[str, Any]) -> None:
    file = directory / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": cases}))
    promtool("test", "rules", file)


@pytest.mark.slow
def test_every_rule_fires_alone_and_resolves(tmp_path: Path) -> None:
    promtool("check", "rules", RULES)
    check(tmp_path, *(case(UP | values, {"2h": [name], "4h": []}) for name, values in FIRING))


@pytest.mark.slow
def test_small_numbers_are_no_pattern(tmp_path: Path) -> None:
    times = [f"{minutes}m" for minutes in range(5, 240, 5)]
    check(tmp_path, *(case(UP | values, dict.fromkeys(times, ())) for values in INNOCENT))


@pytest.mark.slow
def test_nothing_fires_on_a_quiet_day(tmp_path: Path, rules: list[dict[str, Any]]) -> None:
    day = Day()
    asked = set(re.findall(r"\b(?:streamae|process)_[a-z_]+", "\n".join(r["expr"] for r in rules)))
    assert asked - day.scrapes.names() == set()
    assert {output.channel for output in day.sink.outputs} == {"alerts"}
    always = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[24h]))'
    quiet = case(day.scrapes.written(), {"24h": []})
    quiet["promql_expr_test"][0]["expr"] = always
    check(tmp_path, quiet)


def test_every_alert_is_tested_and_every_metric_exists(rules: list[dict[str, Any]]) -> None:
    assert {rule["alert"] for rule in rules} == {name for name, _ in FIRING}
    assert unknown_metrics(RULES.read_text()) == set()


def test_every_alert_says_what_to_do(rules: list[dict[str, Any]]) -> None:
    sections = re.findall(r"^## (\w+)$", (DEPLOY / "runbooks.md").read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules]
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        notes = rule["annotations"]
        assert notes["runbook_url"] == f"deploy/runbooks.md#{rule['alert'].lower()}"
        assert notes["summary"] != notes["description"]


def test_every_alert_has_a_panel_that_shows_it(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        address = urlsplit(rule["annotations"]["dashboard_url"])
        dashboard = dashboards.by_uid(address.path.removeprefix("/d/"))
        asked = parse_qs(address.query)
        panel = dashboards.panel(dashboard, int(asked.pop("viewPanel")[0]))
        variables = {f"var-{one['name']}" for one in dashboard["templating"]["list"]}
        assert asked.keys() <= variables
        shown, meant = (
            set(re.findall(r"\b(?:streamae|process)_[a-z_]+|\bup\b", text))
            for text in (" ".join(dashboards.queries(panel)), rule["expr"])
        )
        assert shown & meant, rule["alert"]
