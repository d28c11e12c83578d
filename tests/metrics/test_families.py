"""Every metric is declared once, reported, documented and well named."""

import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from streamae.metrics import Metric, Metrics, reference
from tests.metrics.reports import A, report_everything


def test_every_metric_is_reported(registry: CollectorRegistry, metrics: Metrics) -> None:
    report_everything(metrics, A)
    exposed = {sample.name for family in registry.collect() for sample in family.samples}
    for metric in Metric:
        suffix = "_count" if metric.value.kind == "histogram" else ""
        assert metric.exposed + suffix in exposed


@pytest.mark.slow
def test_promtool_has_no_complaints(registry: CollectorRegistry, metrics: Metrics) -> None:
    report_everything(metrics, A)
    try:
        check = subprocess.run(
            ["promtool", "check", "metrics"],
            input=generate_latest(registry),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.fail("promtool is missing: apt-get install prometheus")
    assert (check.returncode, check.stdout + check.stderr) == (0, b"")


def test_reference_lists_every_metric_under_a_heading() -> None:
    sections = reference().split("\n## ")[1:]
    rows = [row for section in sections for row in section.splitlines()[4:] if row]
    assert len(rows) == len(Metric)
    assert (
        "| `streamae_alerts_total` | counter | `topic`, `partition`, `severity`: warning critical |"
        " Alerts raised, one per episode. |"
    ) in rows


def test_every_declaration_is_its_own() -> None:
    assert len({metric.value.help for metric in Metric}) == len(Metric) == len(set(Metric))
