"""Records as the alert topic carries them."""

from typing import Any

from streamae.records import (
    Alert,
    Attribution,
    ConfigurationChange,
    Counterfactual,
    Drift,
    Evidence,
    Model,
    Moved,
    Position,
    Recovered,
)

EVIDENCE = Evidence(covariance=12.0, values=3.1, residual=48.2, rarity=-0.4, distance=5.5)


def alert(offset: int, feature: str = "pressure", **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "alert_id": f"id-{offset}",
        "detector": "pump-7",
        "key": "sensor-4",
        "event_time": "2023-11-14T22:13:20.000Z",
        "source": Position("in", 0, offset),
        "score": 33.98,
        "p_value": 2e-5,
        "threshold": 11.41,
        "alpha": 1e-3,
        "budget": 1e-3,
        "severity": "critical",
        "episode_id": f"id-{offset}",
        "evidence": EVIDENCE,
        "attribution": [
            Attribution(feature, 80.0, 45.2, 6.3, 0.61),
            Attribution("flow", 4e-5, 0, 0.2, 0.031),
            Attribution("level", 1.0, 2.0, 0.2, 0.03),
        ],
        "missing": ["valve"],
        "counterfactual": Counterfactual([feature], 8.02),
        "model": Model("0.1.0", offset, 1),
    }
    return Alert(**fields | changes)


def recovered(offset: int) -> Recovered:
    return Recovered(
        alert_id=f"r-{offset}",
        detector="pump-7",
        key="sensor-4",
        event_time="2023-11-14T22:13:24.000Z",
        source=Position("in", 0, offset + 4),
        episode_id=f"id-{offset}",
        severity="critical",
        n_flagged=3,
        n_suppressed=0,
        n_records=5,
        peak_score=40.0,
        peak_p_value=1e-6,
        started_at="2023-11-14T22:13:20.000Z",
        model=Model("0.1.0", offset + 4, 1),
    )


def reloaded(offset: int) -> ConfigurationChange:
    return ConfigurationChange(
        alert_id=f"c-{offset}",
        detector="pump-7",
        event_time="2023-11-14T22:31:11.000Z",
        source=Position("in", 0, offset),
        before={"budget": "0.001", "quiet_records": 20},
        after={"budget": "20 per day", "quiet_records": 20},
        model=Model("0.1.0", offset, 8),
    )


def drift(offset: int) -> Drift:
    return Drift(
        alert_id=f"d-{offset}",
        detector="pump-7",
        event_time="2023-11-14T22:31:11.000Z",
        source=Position("in", 0, offset + 1023),
        since=Position("in", 0, offset),
        since_time="2023-11-14T22:14:08.000Z",
        n_records=1024,
        moved=[Moved("pressure", 45.2, 52.0), Moved("flow", 0.5, 4e-5)],
        n_moved=2,
        model=Model("0.1.0", offset + 1023, 8),
    )
