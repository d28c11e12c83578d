"""Connections that come, stay, leave early, and an address that cannot be had."""

import logging
import re
import socket
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from streamae.config import HttpConfig
from streamae.errors import ConfigError, TemporaryError
from streamae.http import Server, Views
from streamae.http import server as http
from tests.serving import State, ask, connect


@pytest.fixture
def views() -> Views:
    return State().views()


@pytest.fixture
def server(views: Views) -> Iterator[Server]:
    server = Server(HttpConfig(port=0), CollectorRegistry(), views)
    server.start()
    yield server
    server.stop()


def is_cut_off(connection: socket.socket) -> bool:
    """Send a byte now and then, which renews a timeout per read but not the life of all."""
    for _ in range(300):
        try:
            connection.sendall(b"T")
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_slow_clients_are_cut_off_and_hinder_nobody(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_CONNECTION_S", 0.3)
    server = Server(HttpConfig(port=0), CollectorRegistry(), views)
    server.start()
    try:
        with connect(server) as slow:
            slow.sendall(b"GET / HT")
            assert ask(server, "/livez").status == 200
            assert is_cut_off(slow)
        assert ask(server, "/livez").status == 200
    finally:
        server.stop()


def test_connections_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MAX_CONNECTIONS", 3)
    idle = [connect(server) for _ in range(3)]
    with connect(server) as refused:
        assert refused.recv(1) == b""
    for connection in idle:
        connection.close()
    for _ in range(100):
        try:
            assert ask(server, "/livez").status == 200
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("closed connections still count")


def test_clients_that_leave_early(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        with connect(server) as connection:
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            linger = b"\x01\0\0\0\0\0\0\0"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert ask(server, "/livez").status == 200
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


def test_stopped_started_again_and_stopped_twice(views: Views) -> None:
    server = Server(HttpConfig(port=0), CollectorRegistry(), views)
    for _ in range(2):
        server.start()
        port = server.port
        assert ask(server, "/livez").status == 200
        server.stop()
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_stopping_ends_open_connections(views: Views) -> None:
    server = Server(HttpConfig(port=0), CollectorRegistry(), views)
    server.start()
    with connect(server) as idle:
        assert ask(server, "/livez").status == 200
        server.stop()
        assert idle.recv(1) == b""


def test_a_client_that_wants_an_odd_version_gets_text(server: Server) -> None:
    answer = ask(server, "/metrics", Accept="application/openmetrics-text; version=newest")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_port_in_use_may_be_free_at_the_next_start(server: Server, views: Views) -> None:
    second = Server(HttpConfig(port=server.port), CollectorRegistry(), views)
    with pytest.raises(TemporaryError, match=rf"http\.port: .*127.0.0.1:{server.port}.*in use"):
        second.start()
    second.stop()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_of_others_is_a_configuration_error(views: Views, host: str) -> None:
    with pytest.raises(ConfigError, match=rf"http\.host: cannot listen on {re.escape(host)}"):
        Server(HttpConfig(host=host, port=0), CollectorRegistry(), views).start()


def test_ipv6(views: Views) -> None:
    server = Server(HttpConfig(host="::1", port=0), CollectorRegistry(), views)
    if has_ipv6():
        server.start()
        assert server.url == f"http://[::1]:{server.port}/"
        server.stop()
    else:
        with pytest.raises(ConfigError, match=r"http\.host: cannot listen on ::1"):
            server.start()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
