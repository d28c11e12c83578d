from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamae.demo.report import compare, counted, deviations, ending, headline, number, shift
from streamae.records import Alert, Attribution, Model, Position, Recovered, Score
from tests.alerts import EVIDENCE, drift

SOURCE = Position("shuttle", 0, 12_344)


def alert(**fields: Any) -> Alert:
    given: dict[str, Any] = {
        "alert_id": "a",
        "detector": "demo",
        "key": "shuttle",
        "event_time": None,
        "source": SOURCE,
        "score": 9.0,
        "p_value": 2e-5,
        "threshold": 5.0,
        "alpha": 1e-3,
        "budget": 0.001,
        "severity": "critical",
        "episode_id": "a",
        "evidence": EVIDENCE,
        "attribution": [],
        "missing": [],
        "model": Model("0.1.0", 12_344, 48),
    }
    return Alert(**(given | fields))


@pytest.mark.parametrize(
    ("p_value", "rarity"),
    [
        (2e-5, "1 in 50,000 scores as high (p = 2e-05)"),
        (0.028111, "1 in 36 scores as high (p = 0.028)"),
        (1.2345e-4, "1 in 8,100 scores as high (p = 0.00012)"),
        (1e-300, "less than 1 in a million scores as high (p = 1e-300)"),
        (0.0, "less than 1 in a million scores as high (p = 0)"),
    ],
)
def test_headline(p_value: float, rarity: str) -> None:
    assert headline(alert(p_value=p_value)) == f"record 12,345 of shuttle: {rarity}"


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 alerts"), (1, "1 alert"), (2, "2 alerts"), (1920, "1,920 alerts")]
)
def test_counted(n: int, text: str) -> None:
    assert counted(n, "alert") == text


def test_ending() -> None:
    recovered = Recovered(
        alert_id="b",
        detector="demo",
        key=None,
        event_time=None,
        source=SOURCE,
        episode_id="a",
        severity="warning",
        n_flagged=3,
        n_suppressed=0,
        n_records=1200,
        peak_score=9.0,
        peak_p_value=1e-5,
        started_at=None,
        model=Model("0.1.0", 12_344, 48),
    )
    assert ending(recovered) == (
        "record 12,345 of shuttle: the episode is over, 3 of 1,200 records flagged"
    )


def test_shift() -> None:
    assert shift(drift(100)) == (
        "record 1,124 of in: another level is normal now, pressure and 1 other feature,"
        " 45.2 before and 52 since"
    )


def test_deviations_name_what_matters() -> None:
    parts = [
        Attribution(f"f{n}", 80.0, 45.25, 6.0, share) for n, share in enumerate((0.61, 0.2, 0.1))
    ]
    assert deviations(parts) == [
        "f0 was 80, expected 45.25 (61% of the anomaly)",
        "f1 was 80, expected 45.25 (20%)",
    ]
    assert len(deviations(parts[:1])) == 1
    assert len(deviations([Attribution("f", 1.0, 2.0, -1.0, 0.1)] * 9)) == 3
    assert deviations([]) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (45.0, "45"),
        (-3.14159, "-3.142"),
        (999.96, "1000"),
        (1234.5, "1,234"),
        (-25_276_502_016.0, "-25,276,502,016"),
        (0.00012345, "0.0001234"),
        (1.234e-9, "1.2e-09"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_compare(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    n = 1000
    anomalous = rng.random(n) < 0.1
    anomalous[600] = True
    # Everything is judged right, but for row 600.
    scores = [
        Score(
            source=Position("shuttle", 0, row),
            key="shuttle",
            score=None if row < 256 else float(anomalous[row] and row != 600),
            p_value=None,
            anomaly=bool(anomalous[row]) and row > 512 and row != 600,
        )
        for row in range(n)
    ]
    path = tmp_path / "scores.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(score) + b"\n" for score in scores))
    alerts = [alert(source=Position("shuttle", 0, row)) for row in (600, int(np.argmin(anomalous)))]
    outcome = compare(path, alerts, anomalous)
    n_anomalies, n_clean = anomalous[512:].sum(), (~anomalous[512:]).sum()
    assert outcome.records == n
    assert outcome.anomalies == anomalous.sum()
    assert outcome.flagged == outcome.true_flagged == anomalous[513:].sum() - 1
    assert (outcome.alerts, outcome.true_alerts) == (2, 1)
    assert outcome.roc_auc == pytest.approx(1 - 0.5 / n_anomalies)
    assert outcome.average_precision == pytest.approx(
        (n_anomalies - 1) / n_anomalies + 1 / n_anomalies * n_anomalies / (n_anomalies + n_clean)
    )
