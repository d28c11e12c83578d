"""The machine the demo runs on, watched until Ctrl-C."""

from pathlib import Path
from typing import Any

from streamae.config import Config
from streamae.demo.report import STYLES, ending, headline, reasons, shift
from streamae.demo.session import ALERTS, SCORES, Session
from streamae.records import Alert, Drift, Recovered
from streamae.terminal import Terminal, counted

SETTINGS: dict[str, Any] = {
    "name": "demo-host",
    "source": {"kind": "host", "interval": "200ms"},
    # Two minutes of warm-up at 5 records per second instead of twenty at 1.
    "detector": {"block_size": 64, "warmup_records": 256},
    # A record in 100 seconds; an episode ends after 20 quiet ones.
    "alerting": {"budget": 0.002, "quiet_records": 100},
}


def run(directory: Path, terminal: Terminal) -> None:
    """Watch this machine until Ctrl-C and write each alert in words as it comes."""
    session = Session(directory, SETTINGS)
    terminal.line(terminal.styled("streamae watches this machine", "bold") + ", Ctrl-C ends it")
    terminal.fields(
        {
            "written to": str(directory),
            "warm-up": f"{warmup_s(session.config):.0f} seconds of silence, then alerts",
        }
    )

    def opened(url: str) -> None:
        terminal.fields({"status page": url})
        terminal.line()

    def watch(status: dict[str, Any]) -> None:
        tell(session, terminal)
        terminal.ticker(terminal.styled(summary(status), "dim"))

    session.run(opened, watch)
    terminal.clear()
    tell(session, terminal)
    terminal.line(f"stopped; {directory / ALERTS} and {SCORES} hold what was written")
    terminal.line(f"go on where it ended: streamae demo --feed host --directory {directory}")


def tell(session: Session, terminal: Terminal) -> None:
    """Write the alerts that are new."""
    for alert in session.new_alerts():
        if isinstance(alert, Recovered):
            terminal.line(terminal.styled(ending(alert), "green"))
        elif isinstance(alert, Drift):
            terminal.line(terminal.styled(shift(alert), "green"))
        elif isinstance(alert, Alert):
            severity = terminal.styled(alert.severity, STYLES[alert.severity])
            terminal.line(f"{headline(alert)} · {severity}")
            for phrase in reasons(alert):
                terminal.line(f"  {phrase}")


def warmup_s(config: Config) -> float:
    """Return how long a detector without state stays silent."""
    n_records = config.detector.records_before(float(config.alerting.budget))
    return n_records * config.source.interval


def summary(status: dict[str, Any]) -> str:
    """Return the status in one line."""
    warmup = "" if status["warmup"] >= 1 else f"warm-up {status['warmup']:.0%} · "
    return (
        f"{status['records']:,} records · {status['records_per_second']:.1f}/s · "
        f"{warmup}{counted(status['alerts'], 'alert')}"
    )
