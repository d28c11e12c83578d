"""The shipped dashboards: every query is PromQL, asks for what exists, and has its own place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import dashboards
from tests.deploy.dashboards import FILES, GRAFANA, Dashboard, filled, panels, queries
from tests.deploy.grafana import findings
from tests.deploy.promtool import promtool, unknown_metrics


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def dashboard(request: pytest.FixtureRequest) -> Dashboard:
    return dashboards.load(request.param)


def everything(dashboard: Dashboard) -> list[str]:
    """Return the queries of panels and annotations."""
    asked = [query for panel in panels(dashboard) for query in queries(panel)]
    return asked + [annotation["expr"] for annotation in dashboard["annotations"]["list"]]


def test_there_are_two() -> None:
    assert [file.stem for file in FILES] == ["anomalies", "operations"]


def test_every_metric_exists(dashboard: Dashboard) -> None:
    variables = [variable["query"] for variable in dashboard["templating"]["list"]]
    assert len(everything(dashboard)) > 30
    assert unknown_metrics("\n".join([*everything(dashboard), *variables])) == set()


@pytest.mark.slow
def test_every_query_is_understood(dashboard: Dashboard, tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": filled(query)}
        for number, query in enumerate(everything(dashboard))
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


def test_it_can_be_provisioned_anywhere(dashboard: Dashboard) -> None:
    assert dashboard["uid"].startswith("streamae-")
    assert "id" not in dashboard
    shown = [panel for panel in panels(dashboard) if panel["type"] != "row"]
    asking = [*shown, *dashboard["annotations"]["list"], *dashboard["templating"]["list"][1:]]
    assert {one["datasource"]["uid"] for one in asking} == {"${datasource}"}
    numbers = [panel["id"] for panel in panels(dashboard)]
    assert len(numbers) == len(set(numbers))


def test_grafana_knows_every_key_and_takes_every_value(dashboard: Dashboard) -> None:
    assert findings(dict(dashboard)) == []
    legend = next(p["options"]["legend"] for p in panels(dashboard) if p["type"] == "timeseries")
    legend |= {"placement": "botom", "plaecment": "bottom"}
    assert [found.rpartition(".")[2] for found in findings(dict(dashboard))] == [
        "plaecment",
        "placement: botom",
    ]


def test_every_panel_says_what_it_shows(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert queries(panel), panel["title"]
            unit = panel["fieldConfig"]["defaults"].get("unit")
            assert unit or panel["type"] in {"state-timeline", "heatmap", "table"}


def test_panels_do_not_overlap(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(dashboard):
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_what_is_provisioned_is_there() -> None:
    def read(name: str) -> dict[str, Any]:
        return dict(yaml.safe_load((GRAFANA / "provisioning" / name / "streamae.yaml").read_text()))

    sources, providers = read("datasources"), read("dashboards")
    assert sources["apiVersion"] == providers["apiVersion"] == 1
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    (provider,) = providers["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["type"] == "file"
