"""A server as the daemon runs it, and clients to ask it."""

import json
import socket
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple

from streamae.http import Server, Views


class State:
    """What a test can change while the server runs."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.alive = True
        self.unready: list[str] = []
        self.status: dict[str, Any] = {"records": 3}

    def document(self) -> Mapping[str, Any]:
        if self.status.get("broken"):
            message = "changed while it was read"
            raise RuntimeError(message)
        return self.status

    def views(self) -> Views:
        return Views(
            status=self.document,
            chart=lambda name: {"partition": name} if name == "in-0" else None,
            alerts=lambda: [{"alert_id": "a"}],
            alive=lambda: self.alive,
            unready=lambda: self.unready,
            version={"name": "pump", "streamae": "0.1.0"},
            config=lambda: {"kafka": {"sasl_password": "[redacted]"}},
        )


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)
