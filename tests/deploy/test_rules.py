"""The shipped rules: each alert fires for what it names, alone, and a quiet stream is quiet."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from streamae.metrics import Metrics
from tests.deploy.promtool import promtool, unknown_metrics
from tests.metrics.reports import A, report_everything

pytestmark = pytest.mark.slow

RULES = Path(__file__).parents[2] / "deploy/prometheus/rules.yaml"
JOB = 'job="streamae",instance="a:9109"'
ONE = f'{JOB},topic="in",partition="0"'
READING = {f"streamae_records_consumed_total{{{ONE}}}": "0+60000x180"}

FIRING: dict[str, dict[str, str]] = {
    "StreamaeDown": {f"up{{{JOB}}}": "0x180"},
    "StreamaeTooManyRestarts": {f"streamae_start_time_seconds{{{JOB}}}": "0+1x180"},
    "StreamaeNoProgressWithLag": {
        f"streamae_consumer_lag_records{{{ONE}}}": "5x180",
        f"streamae_records_consumed_total{{{ONE}}}": "7x180",
    },
    "StreamaeLagGrowing": {f"streamae_consumer_lag_records{{{ONE}}}": "20000+60x180", **READING},
    "StreamaeLagTimeToDrain": {
        f"streamae_consumer_lag_records{{{ONE}}}": "900000-60x180",
        **READING,
    },
    "StreamaeDeadLetters": {
        f'streamae_records_invalid_total{{{ONE},reason="empty"}}': "0+3000x180",
        **READING,
    },
    "StreamaeOffsetsLost": {f"streamae_offsets_lost_total{{{ONE}}}": "0+1x180"},
    "StreamaeCheckpointStale": {
        f"streamae_checkpoint_age_seconds{{{ONE}}}": "0+60x180",
        f"streamae_train_steps_total{{{ONE}}}": "0+1x180",
    },
    "StreamaeTransactionAborts": {
        f'streamae_transactions_total{{{JOB},outcome="aborted"}}': "0+12x180",
        f'streamae_transactions_total{{{JOB},outcome="committed"}}': "0+60x180",
    },
    "StreamaeAlertRateOffBudget": {
        f"streamae_alert_rate_observed{{{ONE}}}": "0.004x180",
        f"streamae_alert_rate_target{{{ONE}}}": "0.001x180",
        f"streamae_records_judged_total{{{ONE}}}": "0+6000x180",
    },
    "StreamaeGuardSuspectsTooMuch": {
        f"streamae_records_suspected_total{{{ONE}}}": "0+30000x180",
        **READING,
    },
    "StreamaeDriftStorm": {f"streamae_drift_events_total{{{ONE}}}": "0+0.2x180"},
    "StreamaeNonFinite": {f'streamae_nonfinite_total{{{ONE},where="score"}}': "0+1x180"},
    "StreamaeWarmupStuck": {f"streamae_warmup_progress_ratio{{{ONE}}}": "0.25x180", **READING},
    "StreamaeMemoryHigh": {
        f"process_resident_memory_bytes{{{JOB}}}": "95x180",
        f"streamae_available_memory_bytes{{{JOB}}}": "100x180",
    },
    "StreamaeFileDescriptors": {
        f"process_open_fds{{{JOB}}}": "90x180",
        f"process_max_fds{{{JOB}}}": "100x180",
        f"streamae_start_time_seconds{{{JOB}}}": "1x180",
    },
}


def quiet() -> dict[str, str]:
    """Return all series of a daemon to which nothing happens for three hours."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.assigned([A])
    report_everything(metrics, A)
    metrics.polled(0.01, {A: 0})
    series = {f"up{{{JOB}}}": "1x180"}
    for family in registry.collect():
        for sample in family.samples:
            labels = "".join(f',{name}="{value}"' for name, value in sample.labels.items())
            value = sample.value if math.isfinite(sample.value) else 0
            growth = 60 if sample.name == "streamae_checkpoint_age_seconds" else 0
            series[f"{sample.name}{{{JOB}{labels}}}"] = f"{value:f}+{growth}x180"
    return series


def case(series: dict[str, str], firing: list[str]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "2h",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing
                ],
            }
        ],
    }


def test_rules(tmp_path: Path) -> None:
    promtool("check", "rules", RULES)
    cases = [case(quiet(), []), *(case(series, [name]) for name, series in FIRING.items())]
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": cases}))
    promtool("test", "rules", file)


def test_every_alert_is_tested_and_every_metric_exists() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["alert"] for rule in rules if "alert" in rule} == set(FIRING)
    assert unknown_metrics(RULES.read_text()) == set()
