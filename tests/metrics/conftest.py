"""Metrics on a clock that only moves when told."""

import pytest
from prometheus_client import CollectorRegistry

from streamae.metrics import Metrics
from tests.metrics.reports import A, Clock, Sample


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> Metrics:
    metrics = Metrics(registry, ("empty", "invalid_json"), clock, clock, lambda: {"allocated": 7})
    metrics.assigned([A])
    return metrics


@pytest.fixture
def sample(registry: CollectorRegistry, metrics: Metrics) -> Sample:
    return Sample(registry)
