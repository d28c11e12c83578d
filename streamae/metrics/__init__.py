"""What the daemon says about itself in numbers: Prometheus metrics, and the data of /status."""

from streamae.metrics.families import Metric, Outcome, Rebalance, Severity, Stage, reference
from streamae.metrics.metrics import Metrics

__all__ = ["Metric", "Metrics", "Outcome", "Rebalance", "Severity", "Stage", "reference"]
