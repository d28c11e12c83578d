"""What probes, Prometheus and people get, over real sockets."""

import logging
import math
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streamae.config import HttpConfig
from streamae.http import Server, pages
from streamae.metrics import Metrics
from tests.serving import State, ask, connect

PAGE = Path(pages.__file__).parent / "page"
PATHS = ["/", "/metrics", "/status", "/alerts"]
PATHS += ["/livez", "/healthz", "/readyz", "/version", "/config"]


@pytest.fixture(scope="module")
def kept() -> State:
    return State()


@pytest.fixture
def state(kept: State) -> State:
    """Return the state of the running server, as new."""
    kept.reset()
    return kept


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_FRESH_S", 0.0)
    monkeypatch.setattr(pages, "_FRESH_TIMES", 0)


@pytest.fixture(scope="module")
def running(kept: State) -> Iterator[Server]:
    registry = CollectorRegistry()
    Metrics(registry)
    server = Server(HttpConfig(port=0), registry, kept.views())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running: Server, state: State) -> Server:
    return running


def test_a_free_port_is_taken_and_shown(server: Server) -> None:
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}/"


def test_metrics_as_text(server: Server) -> None:
    answer = ask(server, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"# TYPE streamae_transactions_total counter" in answer.body
    assert b"process_resident_memory_bytes" in answer.body


def test_metrics_as_open_metrics(server: Server) -> None:
    answer = ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1")
    names = {family.name for family in text_string_to_metric_families(answer.body.decode())}
    assert "streamae_transactions" in names


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
def test_alive(server: Server, state: State, path: str) -> None:
    state.unready = ["no broker"]
    assert ask(server, path).status == 200
    state.alive = False
    answer = ask(server, path)
    assert (answer.status, answer.json["reasons"]) == (503, ["the loop does not turn"])


def test_ready(server: Server, state: State) -> None:
    state.alive = False
    assert (ask(server, "/readyz").status, ask(server, "/readyz").json) == (200, {"status": "ok"})
    state.unready = ["no partition assigned", "restoring"]
    answer = ask(server, "/readyz")
    assert answer.status == 503
    assert answer.json == {"status": "unavailable", "reasons": state.unready}


def test_status(server: Server, state: State) -> None:
    state.unready = ["restoring"]
    assert ask(server, "/status?since=0").json == {
        "name": "pump",
        "streamae": "0.1.0",
        "unready": ["restoring"],
        "records": 3,
    }


def test_status_of_a_partition(server: Server) -> None:
    assert "chart" not in ask(server, "/status").json
    assert ask(server, "/status?partition=in-0").json["chart"] == {"partition": "in-0"}
    assert ask(server, "/status?partition=%3Cimg%3E").json["chart"] is None


def test_alerts(server: Server) -> None:
    assert ask(server, "/alerts").json == {"alerts": [{"alert_id": "a"}]}


def test_json_has_no_nan(server: Server, state: State) -> None:
    state.status = {"threshold": math.nan, "points": [(1, None, math.inf, -math.inf)]}
    answer = ask(server, "/status").json
    assert answer["threshold"] is None
    assert answer["points"] == [[1, None, None, None]]


def test_version_and_config(server: Server) -> None:
    assert ask(server, "/version").json["streamae"] == "0.1.0"
    assert ask(server, "/config").json == {"kafka": {"sasl_password": "[redacted]"}}


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_body(server: Server, path: str) -> None:
    got, head = ask(server, path), ask(server, path, "HEAD")
    assert (head.status, head.body) == (got.status, b"")
    assert int(got.headers["Content-Length"]) == len(got.body) > 0
    # Numbers in metrics change between the two requests.
    if path != "/metrics":
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/status/",
        "//etc/passwd",
        "/../http.py",
        "/%2e%2e/config.py",
        "/page/",
        "/page/../pages.py",
        "/page",
        "*",
    ],
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    answer = ask(server, path)
    assert answer.status == 404
    assert answer.json == {"error": "not found", "paths": PATHS}


def test_a_reload_has_to_be_allowed(server: Server) -> None:
    answer = ask(server, "/-/reload", "POST")
    assert answer.status == 403
    assert "http.reload" in answer.json["error"]
    assert ask(server, "/-/reload").status == 404
    answer = ask(server, "/-/reload", "PUT")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_reload_that_is_allowed_is_among_the_paths(kept: State) -> None:
    allowed = replace(kept.views(), reload=Future)
    assert pages.Pages(CollectorRegistry(), allowed).paths == [*PATHS, "/-/reload"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server: Server, method: str) -> None:
    answer = ask(server, "/config", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.json["error"] == "method not allowed"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_malformed_requests(server: Server, request_bytes: bytes, status: int) -> None:
    with connect(server) as connection:
        connection.sendall(request_bytes)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b'{"error":' in answer
    assert not answer.startswith(b"<")
    if answer.startswith(b"HTTP/"):
        assert int(answer.split()[1]) == status
    assert ask(server, "/livez").status == 200


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/page/main.js"])
def test_security_headers(server: Server, path: str) -> None:
    headers = ask(server, path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Server"] == "streamae"


@pytest.mark.parametrize("path", ["/", "/status", "/alerts", "/page/main.js", "/page/style.css"])
def test_what_a_browser_has_is_not_sent_again(server: Server, path: str) -> None:
    first = ask(server, path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = ask(server, path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = ask(server, path, **{"If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, first.body)


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/version", "/config"])
def test_the_rest_is_not_kept(server: Server, path: str) -> None:
    headers = ask(server, path).headers
    assert headers["Cache-Control"] == "no-store"
    assert "ETag" not in headers


def test_status_is_made_once_for_all_who_ask_at_the_same_time(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_FRESH_S", 60.0)
    server = Server(HttpConfig(port=0), CollectorRegistry(), state.views())
    server.start()
    try:
        answers = []
        for records in range(5):
            state.status = {"records": records}
            answers.append(ask(server, "/status").json)
    finally:
        server.stop()
    assert [answer["records"] for answer in answers] == [0] * 5


def test_what_takes_long_is_made_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_FRESH_TIMES", 10_000)
    made: list[str] = []
    shared = pages._Shared(lambda name: made.append(name) or time.sleep(0.01))
    for name in ("a", "a", "b", "a"):
        shared(name)
    assert made == ["a", "b"]
    monkeypatch.setattr(pages, "_FRESH_TIMES", 0)
    quick = pages._Shared(made.append)
    for _ in range(3):
        quick("c")
    assert made[2:] == ["c"] * 3


def test_the_files_of_the_page(server: Server) -> None:
    html = ask(server, "/").body.decode()
    linked = re.findall(r'(?:src|href)="(page/[^"]+)"', html)
    kinds = {ask(server, f"/{path}").headers["Content-Type"].split(";")[0] for path in linked}
    assert kinds == {"text/css", "text/javascript", "image/svg+xml"}


def test_the_page_needs_nothing_from_elsewhere() -> None:
    own = [path for path in PAGE.glob("*") if path.suffix in {".html", ".css", ".js"}]
    assert len(own) > 8
    for path in own:
        text = path.read_text()
        assert "https://" not in text
        assert set(re.findall(r"http://[^'\" ]+", text)) <= {"http://www.w3.org/2000/svg"}
        assert "innerHTML" not in text
    html = (PAGE / "index.html").read_text()
    assert re.findall(r"<style|style=|<script>|\son\w+=", html) == []


def test_what_is_not_ours_keeps_its_licence(server: Server) -> None:
    licence = ask(server, "/page/uplot/LICENSE").body.decode()
    assert licence.startswith("The MIT License (MIT)\n\nCopyright (c) 2022 Leon Sorokin")
    assert ask(server, "/page/uplot/uPlot.iife.min.js").body.startswith(b"/*! https://github.com/")


def test_a_page_that_fails_is_logged_and_the_next_works(
    server: Server, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    state.status = {"broken": True}
    answer = ask(server, "/status")
    assert (answer.status, answer.json["error"]) == (500, "internal server error")
    assert "changed while it was read" in caplog.text
    assert "changed" not in answer.body.decode()
    state.status = {"records": 4}
    assert ask(server, "/status").json["records"] == 4


def test_requests_are_not_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ask(server, "/livez")
    ask(server, "/nothing")
    assert [record.getMessage() for record in caplog.records] == []
