"""The shipped dashboard: every query is PromQL, asks for what exists, and has its own place."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.promtool import promtool, unknown_metrics

FILE = Path(__file__).parents[2] / "deploy/grafana/dashboards/operations.json"


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))


def queries(dashboard: dict[str, Any]) -> list[str]:
    panels = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])
    ]
    return panels + [annotation["expr"] for annotation in dashboard["annotations"]["list"]]


def test_every_metric_exists(dashboard: dict[str, Any]) -> None:
    variables = [variable["query"] for variable in dashboard["templating"]["list"]]
    assert len(queries(dashboard)) > 20
    assert unknown_metrics("\n".join([*queries(dashboard), *variables])) == set()


@pytest.mark.slow
def test_every_query_is_understood(dashboard: dict[str, Any], tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries(dashboard))
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


def test_it_can_be_provisioned_anywhere(dashboard: dict[str, Any]) -> None:
    assert dashboard["uid"] == "streamae-operations"
    assert "id" not in dashboard
    sources = [panel["datasource"]["uid"] for panel in dashboard["panels"] if "targets" in panel]
    assert set(sources) == {"${datasource}"}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
