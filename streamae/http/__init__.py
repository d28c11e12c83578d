"""Metrics, health, status as JSON, and the status page, for people and for probes.

/            the status page                /metrics   Prometheus, OpenMetrics on request
/status      its numbers, as JSON           /version   what runs
/livez       200 while the loop turns       /config    the configuration, without secrets
/healthz     the same                       /readyz    200 when records can be processed
/-/reload    POST: load the configuration again, where `http.reload` allows it
"""

from streamae.http.pages import Views
from streamae.http.server import Server

__all__ = ["Server", "Views"]
