"""Statlog (Shuttle), labelled sensor readings of a space shuttle that come with `river`."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from river import datasets

from streamae.demo.report import STYLES, Outcome, compare, headline, reasons
from streamae.demo.session import ALERTS, DEAD_LETTERS, LOG, SCORES, STATE, Session
from streamae.demo.session import SETTINGS as SETTINGS_FILE
from streamae.evaluate import UNJUDGED_ROWS
from streamae.records import Alert, Event, Recovered
from streamae.terminal import Terminal, counted
from streamae.types import Bools

TOPIC = "shuttle"
N_TOLD = 5
"""Alerts told in words."""
START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z; the set has no dates, and a fixed one makes every run write the same."""
INTERVAL_MS = 1000


def write(path: Path) -> Bools:
    """Write the readings as JSON Lines with key and time; return their labels [n], True = anomaly.

    The labels are not in the file.
    """
    encoder = msgspec.json.Encoder()
    labels = []
    with path.open("wb") as file:
        for number, (features, label) in enumerate(datasets.Shuttle()):
            record = {"craft": TOPIC, "time": START_MS + number * INTERVAL_MS, **features}
            file.write(encoder.encode(record) + b"\n")
            labels.append(label == 1)
    return np.array(labels)


def run(directory: Path, terminal: Terminal) -> None:
    """Score the readings with the daemon, then say what it found and how right it was."""
    readings = directory / f"{TOPIC}.jsonl"
    anomalous = write(readings)
    session = Session(directory, settings(readings))
    terminal.line(
        terminal.styled("streamae scores a space shuttle's sensors", "bold")
        + ", each reading before it learns from it"
    )
    terminal.fields(
        {
            "input": f"{readings}, {len(anomalous):,} records of 9 features",
            "labels": f"{anomalous.sum():,} records are anomalies; the daemon is not told which",
        }
    )

    def opened(url: str) -> None:
        terminal.fields({"status page": f"{url} while it runs"})
        terminal.line()

    def watch(status: dict[str, Any]) -> None:
        terminal.progress(
            status["records"] / len(anomalous),
            f"{status['records']:,} records · {status['records_per_second']:,.0f}/s ·"
            f" warm-up {status['warmup']:.0%} · {counted(status['alerts'], 'alert')}",
        )

    session.run(opened, watch)
    terminal.keep()
    events = session.new_alerts()
    alerts = [event for event in events if isinstance(event, Alert)]
    tell(terminal, alerts[:N_TOLD], anomalous)
    summarise(terminal, session, compare(directory / SCORES, alerts, anomalous))
    list_files(terminal, directory, alerts, events)


def settings(readings: Path) -> dict[str, Any]:
    """Return the configuration: the defaults, but for a budget that fits the data."""
    return {
        "name": "demo",
        "source": {"path": str(readings)},
        "record": {"key_field": "craft", "timestamp_field": "time"},
        # 7 % of the readings are anomalies, each by itself: the set is shuffled.
        "alerting": {"budget": 0.05, "quiet_records": 4},
    }


def tell(terminal: Terminal, alerts: list[Alert], anomalous: Bools) -> None:
    """Explain alerts in words, beside what the label says."""
    terminal.heading(f"The first {len(alerts)} alerts, explained")
    for alert in alerts:
        severity = terminal.styled(alert.severity, STYLES[alert.severity])
        truth = "an anomaly" if anomalous[alert.source.offset] else "clean"
        terminal.line(f"  {headline(alert)} · {severity} · labelled {truth}")
        for phrase in reasons(alert):
            terminal.line(f"      {phrase}")


def summarise(terminal: Terminal, session: Session, outcome: Outcome) -> None:
    """Write the figures of the run."""
    terminal.heading("Summary")
    budget = float(session.config.alerting.budget)
    rate = outcome.records / session.seconds
    values = {
        "records": f"{outcome.records:,} in {session.seconds:.1f} s, {rate:,.0f} per second",
        "flagged": f"{outcome.flagged:,} records, {outcome.flagged / outcome.records:.2%};"
        f" the budget is {budget:.2%}",
        "alerts": f"{outcome.alerts:,}, one per episode",
        "precision": f"{share(outcome.true_flagged, outcome.flagged)} of the flagged records are"
        f" anomalies; they are {share(outcome.anomalies, outcome.records)} of all records",
        "recall": f"{share(outcome.true_flagged, outcome.anomalies)} of the anomalies are flagged",
    }
    if outcome.roc_auc is not None:
        values["ROC-AUC"] = f"{outcome.roc_auc:.3f} after the first {UNJUDGED_ROWS} records"
    terminal.fields(values)


def list_files(
    terminal: Terminal, directory: Path, alerts: list[Alert], events: list[Event]
) -> None:
    """Write what is where, and what to try next."""
    terminal.heading(f"Written to {directory}")
    n_ended = sum(isinstance(event, Recovered) for event in events)
    n_rejected = len((directory / DEAD_LETTERS).read_bytes().splitlines())
    terminal.fields(
        {
            ALERTS: f"{len(alerts):,} alerts and {n_ended:,} ends of episodes",
            SCORES: "every record's score and p-value",
            DEAD_LETTERS: counted(n_rejected, "rejected record"),
            SETTINGS_FILE: "the configuration",
            f"{STATE}/": "what was learnt and where reading goes on",
            LOG: "what the daemon logged",
        }
    )
    terminal.heading("Next")
    terminal.fields(
        {
            "streamae demo --feed host": "watch this machine, live",
            f"streamae run -c {directory / SETTINGS_FILE}": "go on: all is committed, so it ends",
        }
    )


def share(part: int, whole: int) -> str:
    """Return a part in percent."""
    return f"{part / whole:.1%}" if whole else "none"
