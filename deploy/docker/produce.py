"""Write a shuttle's sensor readings to the topic `sensors`, at a steady rate and for ever."""

import json
import os
import time
from itertools import cycle

from kafka import KafkaProducer
from river import datasets


def main() -> None:
    """Produce `RATE` records a second until killed; when one is sent is its event time."""
    tenth = max(int(os.environ["RATE"]) // 10, 1)
    producer = KafkaProducer(bootstrap_servers=os.environ["KAFKA_BROKERS"], linger_ms=50)
    for number, (features, _) in enumerate(cycle(datasets.Shuttle())):
        record = {"craft": "shuttle", **features}
        producer.send("sensors", json.dumps(record).encode(), partition=number % 2)
        if number % tenth == 0:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
