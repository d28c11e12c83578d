import socket
import ssl
import threading
from pathlib import Path

import pytest

from streamae.config import Config, KafkaConfig
from streamae.errors import ConfigError
from streamae.kafka import settings, tls
from tests.kafka.certificates import issue


def test_the_end_comes_after_the_data_before_it(tmp_path: Path) -> None:
    ours = issue(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ours.identity)
    near, far = socket.socketpair()

    def say_why_and_hang_up() -> None:
        with server.wrap_socket(far, server_side=True) as wrapped:
            wrapped.sendall(b"wrong password")

    thread = threading.Thread(target=say_why_and_hang_up)
    thread.start()
    kafka = KafkaConfig(ssl_cafile=str(ours.authority), ssl_check_hostname=False)
    with tls.context(kafka).wrap_socket(near) as client:
        thread.join()
        assert client.recv(4096) == b"wrong password"
        with pytest.raises(ssl.SSLWantReadError):
            client.recv(4096)
        assert client.recv(4096) == b""
        assert client.recv(4096) == b""


def test_a_file_that_is_no_certificate_is_a_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    kafka = KafkaConfig(security_protocol="SSL", ssl_cafile=str(path))
    with pytest.raises(ConfigError, match="ssl_cafile"):
        settings.connection(Config(kafka=kafka))
