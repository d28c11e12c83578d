"""What the daemon says about itself in numbers: Prometheus metrics, and the data of /status."""

from streamae.metrics.families import Metric, Outcome, Rebalance, Stage, reference
from streamae.metrics.metrics import Metrics
from streamae.metrics.status import Status

__all__ = ["Metric", "Metrics", "Outcome", "Rebalance", "Stage", "Status", "reference"]
