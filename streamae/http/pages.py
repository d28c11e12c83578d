"""What is answered to which path."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own files and requests to this server; nothing inline, nothing from elsewhere."""

RELOAD = "/-/reload"

_FRESH_S = 0.5
"""Status is made once for all who ask meanwhile, so ten tabs cost about as much as one."""

_FRESH_TIMES = 50
"""As many times what it took to make: a thousand partitions take 60 ms, and 2 % of the time."""

_RELOAD_S = 8.0
"""How long a request waits for the loop, a little less than the life of a connection."""

_JSON = "application/json; charset=utf-8"

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""Of the page's files. Python's own table reads the system's, and a browser runs no module of
another type."""


@dataclass(frozen=True, slots=True)
class Views:
    """What there is to show; the callables are called on the server's threads."""

    status: Callable[[], Mapping[str, Any]]
    chart: Callable[[str], Mapping[str, Any] | None]
    """What is drawn of the partition of this name; None where there is none."""
    alerts: Callable[[], Sequence[Mapping[str, Any]]]
    """The latest, newest first."""
    alive: Callable[[], bool]
    """Whether the loop turns; must not depend on brokers."""
    unready: Callable[[], Sequence[str]]
    """Why no records can be processed now; empty when they can."""
    version: Mapping[str, Any]
    config: Callable[[], Mapping[str, Any]]
    """Without secrets: it is shown as it is."""
    reload: Callable[[], Future[list[str]]] | None = None
    """Loads the configuration again; None where requests must not."""


class Answer(NamedTuple):
    """A body and what its header says of it."""

    body: bytes
    content_type: str = _JSON
    status: HTTPStatus = HTTPStatus.OK
    etag: str | None = None
    """Differs between bodies; a client that names it has the body already."""


class Request(NamedTuple):
    """What decides on the answer, beside the path."""

    query: str = ""
    accept: str = ""


class Pages:
    """The answer for every path."""

    def __init__(self, registry: CollectorRegistry, views: Views) -> None:
        self._registry = registry
        self._views = views
        self._numbers = _Shared(lambda _name: views.status())
        self._charts = _Shared(views.chart)
        self._alerts = _Shared(lambda _name: views.alerts())
        self._documented: Mapping[str, Callable[[Request], Answer]] = {
            "/": lambda _request: self._files["/page/index.html"],
            "/metrics": self._metrics,
            "/status": self._status,
            "/alerts": lambda _request: _tagged(encoded({"alerts": self._alerts()}), _JSON),
            "/livez": self._alive,
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/version": lambda _request: Answer(encoded(views.version)),
            "/config": lambda _request: Answer(encoded(views.config())),
        }
        self._files = dict(_static(files("streamae.http").joinpath("page"), "/page"))

    @property
    def paths(self) -> list[str]:
        """What can be asked for, without the page's parts."""
        return [*self._documented, *([RELOAD] if self._views.reload else [])]

    def answer(self, path: str, request: Request) -> Answer | None:
        """Return what to answer to a GET of `path`; None where there is nothing."""
        if path in self._documented:
            return self._documented[path](request)
        return self._files.get(path)

    def reload(self) -> Answer:
        """Load the configuration again and say how that went."""
        if self._views.reload is None:
            refusal = {"error": "http.reload is false; SIGHUP reloads all the same"}
            return Answer(encoded(refusal), status=HTTPStatus.FORBIDDEN)
        asked = self._views.reload()
        try:
            error = asked.exception(timeout=_RELOAD_S)
        except TimeoutError:
            waiting = {"error": "asked for, and not done yet: the loop is busy"}
            return Answer(encoded(waiting), status=HTTPStatus.GATEWAY_TIMEOUT)
        if error is not None:
            failure = {"error": str(error)}
            return Answer(encoded(failure), status=HTTPStatus.INTERNAL_SERVER_ERROR)
        return Answer(encoded({"status": "ok", "changed": asked.result()}))

    def _metrics(self, request: Request) -> Answer:
        try:
            encode, content_type = choose_encoder(request.accept)
        except (TypeError, ValueError):  # It stumbles over a version that is no number.
            encode, content_type = choose_encoder("")
        return Answer(encode(self._registry), content_type)

    def _status(self, request: Request) -> Answer:
        views = self._views
        own = {**views.version, "unready": list(views.unready()), **self._numbers()}
        name = parse_qs(request.query).get("partition")
        return _tagged(encoded(own | {"chart": self._charts(name[0])} if name else own), _JSON)

    def _alive(self, _request: Request) -> Answer:
        return _health(self._views.alive(), ["the loop does not turn"])

    def _ready(self, _request: Request) -> Answer:
        reasons = list(self._views.unready())
        return _health(not reasons, reasons)


T = TypeVar("T")


class _Shared(Generic[T]):
    """A document by name that is made anew when it is no longer fresh, by one thread for all."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: dict[str, tuple[float, T]] = {}
        """With the time until which each is fresh."""

    def __call__(self, name: str = "") -> T:
        with self._lock:
            started = time.monotonic()
            self._made = {k: made for k, made in self._made.items() if started < made[0]}
            if name not in self._made:
                made, now = self._make(name), time.monotonic()
                self._made[name] = (now + max(_FRESH_S, _FRESH_TIMES * (now - started)), made)
            return self._made[name][1]


def encoded(value: Mapping[str, Any]) -> bytes:
    """Encode as JSON; NaN and infinity, which it lacks, become null."""
    return msgspec.json.encode(value)


def _tagged(body: bytes, content_type: str) -> Answer:
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return Answer(body, content_type, etag=f'"{digest}"')


def _health(ok: bool, reasons: Sequence[str]) -> Answer:
    if ok:
        return Answer(encoded({"status": "ok"}))
    document = encoded({"status": "unavailable", "reasons": reasons})
    return Answer(document, _JSON, HTTPStatus.SERVICE_UNAVAILABLE)


def _static(directory: Traversable, path: str) -> Iterator[tuple[str, Answer]]:
    """Yield the files below a directory, each with the path it is asked for by."""
    for entry in directory.iterdir():
        below = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _static(entry, below)
            continue
        kind = _TYPES.get(PurePath(entry.name).suffix, "text/plain")
        yield below, _tagged(entry.read_bytes(), f"{kind}; charset=utf-8")
