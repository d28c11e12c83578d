"""`python -m tests.kafka`: an Apache Kafka on localhost:9092 until Ctrl-C, to try things with."""

import signal
import tempfile
from pathlib import Path

from tests.kafka.broker import Broker

PORT = 9092

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory, Broker(Path(directory), port=PORT) as broker:
        print(f"Kafka is ready on {broker.bootstrap}; Ctrl-C stops it and deletes its data")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
