"""Metrics, health, status as JSON, and the status page, for people and for probes.

    /            the status page                /metrics   Prometheus, OpenMetrics on request
    /status      what the page shows, as JSON   /version   what runs
    /livez       200 while the loop turns       /config    the configuration, without secrets
    /healthz     the same                       /readyz    200 when records can be processed

Answers are small and made from what is in memory, so a thread per connection is enough; a bound on
their number and on their life keeps slow clients from using it up.
"""

import base64
import errno
import hashlib
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from socketserver import ThreadingTCPServer
from threading import Lock, Thread
from typing import Any, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streamae.config import HttpConfig
from streamae.errors import ConfigError, why
from streamae.log import Logger

_MAX_CONNECTIONS = 64
"""A few browsers, one or two Prometheus servers and the probes use about a dozen."""

_CONNECTION_S = 10.0
"""An answer takes milliseconds; Prometheus itself gives up after 10 s by default."""

_TICK_S = 0.1
"""How soon a stop is noticed; a tick costs microseconds."""

_JSON = "application/json; charset=utf-8"

logger = Logger(__name__)


@dataclass(frozen=True, slots=True)
class Views:
    """What there is to show; the callables are called on the server's threads."""

    status: Callable[[], Mapping[str, Any]]
    alive: Callable[[], bool]
    """Whether the loop turns; must not depend on brokers."""
    unready: Callable[[], Sequence[str]]
    """Why no records can be processed now; empty when they can."""
    version: Mapping[str, Any]
    config: Mapping[str, Any]
    """Without secrets: it is shown as it is."""


class _Answer(NamedTuple):
    body: bytes
    content_type: str = _JSON
    status: HTTPStatus = HTTPStatus.OK


class Server:
    """Listens from `start` to `stop`, on threads of its own."""

    def __init__(self, config: HttpConfig, registry: CollectorRegistry, views: Views) -> None:
        self._config = config
        self._pages = _Pages(registry, views)
        self._server: _TcpServer | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Where the status page is, with the port that was taken."""
        host = self._config.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def port(self) -> int:
        """The port listened on; the configured one before `start`."""
        return int(self._server.server_address[1]) if self._server else self._config.port

    def start(self) -> None:
        """Listen. Raise `ConfigError` when the address cannot be had."""
        self._server = _listen(self._config, self._pages)
        serve = partial(self._server.serve_forever, poll_interval=_TICK_S)
        self._thread = Thread(target=serve, name="http", daemon=True)
        self._thread.start()
        logger.info("listening", url=self.url)

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None


class _Pages:
    """The answer for every path."""

    def __init__(self, registry: CollectorRegistry, views: Views) -> None:
        self._registry = registry
        self._views = views
        self._html = files("streamae").joinpath("page.html").read_bytes()
        self.content_security_policy = _content_security_policy(self._html.decode())
        self.paths: Mapping[str, Callable[[str], _Answer]] = {
            "/": lambda _accept: _Answer(self._html, "text/html; charset=utf-8"),
            "/metrics": self._metrics,
            "/status": self._status,
            "/livez": self._alive,
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/version": lambda _accept: _Answer(_json(views.version)),
            "/config": lambda _accept: _Answer(_json(views.config)),
        }

    def _metrics(self, accept: str) -> _Answer:
        encode, content_type = choose_encoder(accept)
        return _Answer(encode(self._registry), content_type)

    def _status(self, _accept: str) -> _Answer:
        views = self._views
        own = {**views.version, "unready": list(views.unready())}
        return _Answer(_json({**own, **views.status()}))

    def _alive(self, _accept: str) -> _Answer:
        return _health(self._views.alive(), ["the loop does not turn"])

    def _ready(self, _accept: str) -> _Answer:
        reasons = list(self._views.unready())
        return _health(not reasons, reasons)


class _Handler(BaseHTTPRequestHandler):
    """One request of one connection."""

    server: "_TcpServer"
    timeout = _CONNECTION_S

    def answer(self) -> None:
        """Answer a GET, or a HEAD with the same header."""
        answers = self.server.pages.paths.get(self.path.partition("?")[0])
        if answers is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            answer = answers(self.headers.get("Accept", ""))
        except Exception:  # A page that fails must not end the daemon.
            logger.exception("page failed", path=self.path)
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self._send(answer)

    def refuse(self) -> None:
        """Nothing here can be changed."""
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    do_GET = do_HEAD = answer  # noqa: N815 - The names http.server looks for.
    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = refuse  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say what is wrong as JSON, also for what http.server itself rejects."""
        status = HTTPStatus(code)
        what = message or explain or status.phrase.lower()
        error = {"error": what, "paths": list(self.server.pages.paths)}
        self._send(_Answer(_json(error), _JSON, status))

    def _send(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.send_header("Content-Security-Policy", self.server.pages.content_security_policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def version_string(self) -> str:
        """Name the program, not the versions an attacker would look up."""
        return "streamae"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent: a probe a second would drown the log."""


class _TcpServer(ThreadingTCPServer):
    """A thread per connection, with a bound on their number and on the life of each."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = _MAX_CONNECTIONS

    def __init__(self, family: socket.AddressFamily, address: Any, pages: _Pages) -> None:
        self.address_family = family
        self.pages = pages
        self._lock = Lock()
        self._deadlines: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Refuse connections beyond the bound."""
        with self._lock:
            if len(self._deadlines) >= _MAX_CONNECTIONS:
                return False
            self._deadlines[request] = time.monotonic() + _CONNECTION_S
        return True

    def service_actions(self) -> None:
        """Hang up on clients that send or read too slowly; called every tick."""
        self._hang_up(before=time.monotonic())

    def shutdown_request(self, request: Any) -> None:
        """Close an answered connection."""
        with self._lock:
            self._deadlines.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the port and what is still connected."""
        super().server_close()
        self._hang_up(before=float("inf"))

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Note a client that went away; nobody else is concerned."""
        logger.debug("connection ended early", client=str(client_address))

    def _hang_up(self, before: float) -> None:
        with self._lock:
            overdue = [request for request, at in self._deadlines.items() if at < before]
            for request in overdue:
                # Only this wakes the thread that waits in the socket; it then closes it.
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)


def _listen(config: HttpConfig, pages: _Pages) -> _TcpServer:
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        return _TcpServer(found[0][0], found[0][4], pages)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise ConfigError(
                f"http.port: cannot listen on {config.host}:{config.port}: {why(error)};"
                " choose another, or 0 for a free one"
            ) from error
        raise ConfigError(f"http.host: cannot listen on {config.host}: {why(error)}") from error


def _health(ok: bool, reasons: Sequence[str]) -> _Answer:
    if ok:
        return _Answer(_json({"status": "ok"}))
    document = _json({"status": "unavailable", "reasons": reasons})
    return _Answer(document, _JSON, HTTPStatus.SERVICE_UNAVAILABLE)


def _json(value: Mapping[str, Any]) -> bytes:
    """Encode as JSON; NaN and infinity, which it lacks, become null."""
    return msgspec.json.encode(value)


def _content_security_policy(html: str) -> str:
    """Allow exactly the page's own script and style, and requests to this server."""
    inline = re.findall(r"<(script|style)>(.*?)</\1>", html, re.DOTALL)
    digests = {kind: hashlib.sha256(text.encode()).digest() for kind, text in inline}
    script, style = (base64.b64encode(digests[kind]).decode() for kind in ("script", "style"))
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}';"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
