"""The shipped dashboards, and what is asked for in them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[2] / "deploy/grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))

Dashboard = Mapping[str, Any]
Panel = Mapping[str, Any]


def load(file: Path) -> Dashboard:
    """Return a dashboard."""
    return dict(json.loads(file.read_text()))


def by_uid(uid: str) -> Dashboard:
    """Return the dashboard of that uid."""
    (found,) = [one for one in map(load, FILES) if one["uid"] == uid]
    return found


def panels(dashboard: Dashboard) -> Iterator[Panel]:
    """Yield all panels, those of collapsed rows behind their row."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def panel(dashboard: Dashboard, number: int) -> Panel:
    """Return the panel of that id."""
    (found,) = [one for one in panels(dashboard) if one["id"] == number]
    return found


def queries(panel: Panel) -> list[str]:
    """Return what a panel asks for, in PromQL with Grafana's variables."""
    return [target["expr"] for target in panel.get("targets", ())]


def filled(query: str, interval: str = "5m", span: str = "6h") -> str:
    """Return a query as Grafana sends it when everything is chosen."""
    chosen = ("$job", "$instance", "$topic", "$partition")
    values = {"$__rate_interval": interval, "$__range": span, **dict.fromkeys(chosen, ".+")}
    return re.sub(r"\$\w+", lambda found: values[found[0]], query)
