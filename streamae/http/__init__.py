"""Metrics, health, status as JSON, and the status page, for people and for probes.

/            the status page                /metrics   Prometheus, OpenMetrics on request
/status      its numbers, as JSON           /alerts    the latest, as JSON
/version     what runs                      /config    the configuration, without secrets
/livez       200 while the loop turns       /readyz    200 when records can be processed
/healthz     the same
/-/reload    POST: load the configuration again, where `http.reload` allows it
"""

from streamae.http.pages import Views
from streamae.http.server import Server

__all__ = ["Server", "Views"]
