"""What kafka-python wraps its sockets with."""

import ssl

from streamae.config import KafkaConfig


class PatientSocket(ssl.SSLSocket):
    """Tells the end of the stream in a read of its own, after what came before it.

    kafka-python 3.0.12 reads until nothing is left, and when that meets the end it drops what it
    read in the same go. A broker that refuses credentials says why and hangs up: without this, the
    reason is lost by chance.
    """

    _read_before = False

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Return up to `buflen` bytes; raise `SSLWantReadError` once between data and the end."""
        data = super().recv(buflen, flags)
        if not data and self._read_before:
            self._read_before = False
            raise ssl.SSLWantReadError
        self._read_before = bool(data)
        return data


def context(kafka: KafkaConfig) -> ssl.SSLContext:
    """Return the authorities to trust and the certificate to show.

    Raise `ssl.SSLError` when a file does not hold what it should.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sslsocket_class = PatientSocket
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = kafka.ssl_check_hostname
    if kafka.ssl_cafile is None:
        made.load_default_certs()
    else:
        made.load_verify_locations(kafka.ssl_cafile)
    if kafka.ssl_certfile is not None:
        made.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, kafka.ssl_key_password)
    return made
