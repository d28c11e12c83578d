"""Answers requests over HTTP, on threads of its own.

Answers are small and made from what is in memory, so a thread per connection is enough; a bound on
their number and on their life keeps slow clients from using it up.
"""

import errno
import socket
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Lock, Thread
from typing import Any

from prometheus_client import CollectorRegistry

from streamae.config import HttpConfig
from streamae.errors import ConfigError, TemporaryError, why
from streamae.http.pages import (
    CONTENT_SECURITY_POLICY,
    RELOAD,
    Answer,
    Pages,
    Request,
    Views,
    encoded,
)
from streamae.log import Logger

_MAX_CONNECTIONS = 64
"""A few browsers, one or two Prometheus servers and the probes use about a dozen."""

_CONNECTION_S = 10.0
"""An answer takes milliseconds; Prometheus itself gives up after 10 s by default."""

_TICK_S = 0.1
"""How soon a stop is noticed; a tick costs microseconds."""

logger = Logger(__name__)


class Server:
    """Listens from `start` to `stop`, on threads of its own."""

    def __init__(self, config: HttpConfig, registry: CollectorRegistry, views: Views) -> None:
        self._config = config
        self._pages = Pages(registry, views)
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


class _Handler(BaseHTTPRequestHandler):
    """One request of one connection."""

    server: "_TcpServer"
    timeout = _CONNECTION_S

    def answer(self) -> None:
        """Answer a GET, or a HEAD with the same header."""
        path, _, query = self.path.partition("?")
        request = Request(query, self.headers.get("Accept", ""))
        try:
            answer = self.server.pages.answer(path, request)
        except Exception:  # A page that fails must not end the daemon.
            logger.exception("page failed", path=self.path)
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif answer.etag and answer.etag in self.headers.get("If-None-Match", ""):
            self._send(answer._replace(body=b"", status=HTTPStatus.NOT_MODIFIED))
        else:
            self._send(answer)

    def post(self) -> None:
        """Reload, if that is what is asked for."""
        if self.path == RELOAD:
            self._send(self.server.pages.reload())
        else:
            self.refuse()

    def refuse(self) -> None:
        """Nothing else here can be changed."""
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    do_GET = do_HEAD = answer  # noqa: N815 - The names http.server looks for.
    do_POST = post  # noqa: N815
    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = refuse  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say what is wrong as JSON, also for what http.server itself rejects."""
        status = HTTPStatus(code)
        what = message or explain or status.phrase.lower()
        error = {"error": what, "paths": self.server.pages.paths}
        self._send(Answer(encoded(error), status=status))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        # What has a tag may be kept, and is asked for again with it: a new version shows at once.
        self.send_header("Cache-Control", "no-cache" if answer.etag else "no-store")
        if answer.etag:
            self.send_header("ETag", answer.etag)
        self.send_header("Connection", "close")
        self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST" if self.path == RELOAD else "GET, HEAD")
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

    def __init__(self, family: socket.AddressFamily, address: Any, pages: Pages) -> None:
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


def _listen(config: HttpConfig, pages: Pages) -> _TcpServer:
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        return _TcpServer(found[0][0], found[0][4], pages)
    except OSError as error:
        port = f"http.port: cannot listen on {config.host}:{config.port}: {why(error)}"
        advice = "; choose another, or 0 for a free one"
        if error.errno == errno.EADDRINUSE:  # Perhaps by a predecessor that is about to end.
            raise TemporaryError(port + advice) from error
        if error.errno == errno.EACCES:
            raise ConfigError(port + advice) from error
        raise ConfigError(f"http.host: cannot listen on {config.host}: {why(error)}") from error
