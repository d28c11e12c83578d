"""Bare consumers: what a Kafka client takes to read a topic, by its two ways to read.

Each looks at every record's value and its length, and does nothing else. `iterated` is the usual
loop, record by record, with the library's defaults; `polled` takes whole polls with the settings of
streamae. Both go on at the beginning when the topic ends.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor

from confluent_kafka import OFFSET_BEGINNING, Consumer
from confluent_kafka import TopicPartition as ConfluentPartition
from kafka import KafkaConsumer, TopicPartition

from streamae.config import Config, KafkaConfig
from streamae.kafka import settings
from streamae.kafka.confluent import settings as confluent
from tests.benchmarks.testbed import TOPIC, Sample

Reader = Callable[[str, int], Iterator[int]]
"""Takes the brokers' address and the length of the topic; yields numbers of records read."""


def samples(reader: Reader, bootstrap: str, n_records: int, span_s: float) -> list[Sample]:
    """Return a sample for each number that a reader yields in a fresh process in `span_s`."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(_sampled, reader, bootstrap, n_records, span_s).result()


def _sampled(reader: Reader, bootstrap: str, n_records: int, span_s: float) -> list[Sample]:
    found: list[Sample] = []
    n_read = 0
    for n in reader(bootstrap, n_records):
        n_read += n
        found.append(Sample(time.perf_counter(), n_read, time.process_time(), 0))
        if found[-1].at - found[0].at >= span_s:
            break
    return found


def kafka_python_iterated(bootstrap: str, n_records: int) -> Iterator[int]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    consumer.assign([TopicPartition(TOPIC, 0)])
    consumer.seek_to_beginning()
    n_bytes = 0
    for n_read, record in enumerate(consumer, 1):
        n_bytes += len(record.value)
        if n_read % 1000 == 0:
            yield 1000
        if n_read % n_records == 0:
            consumer.seek_to_beginning()


def kafka_python_polled(bootstrap: str, n_records: int) -> Iterator[int]:
    config = _config(bootstrap)
    size = config.source.max_poll_records
    isolation = {"isolation_level": "read_committed", "max_poll_records": size}
    consumer = KafkaConsumer(**settings.reader(config), **isolation)
    consumer.assign([TopicPartition(TOPIC, 0)])
    while True:
        consumer.seek_to_beginning()
        n_read = n_bytes = 0
        while n_read < n_records:
            for records in consumer.poll(100).values():
                n_bytes += sum(len(record.value) for record in records)
                n_read += len(records)
                yield len(records)


def confluent_iterated(bootstrap: str, n_records: int) -> Iterator[int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bare"})
    while True:
        consumer.assign([ConfluentPartition(TOPIC, 0, OFFSET_BEGINNING)])
        n_read = n_bytes = 0
        while n_read < n_records:
            if (record := consumer.poll(1.0)) is not None:
                n_bytes += len(record.value())
                n_read += 1
                if n_read % 1000 == 0:
                    yield 1000


def confluent_polled(bootstrap: str, n_records: int) -> Iterator[int]:
    config = _config(bootstrap)
    consumer = Consumer(confluent.consumer(config) | {"enable.partition.eof": False})
    while True:
        consumer.assign([ConfluentPartition(TOPIC, 0, OFFSET_BEGINNING)])
        n_read = n_bytes = 0
        while n_read < n_records:
            records = consumer.consume(config.source.max_poll_records, 0.1)
            n_bytes += sum(len(record.value()) for record in records)
            n_read += len(records)
            yield len(records)


READERS: Mapping[str, Mapping[str, Reader]] = {
    "kafka-python": {"iterated": kafka_python_iterated, "polled": kafka_python_polled},
    "confluent": {"iterated": confluent_iterated, "polled": confluent_polled},
}
"""By `kafka.client` and way to read."""


def _config(bootstrap: str) -> Config:
    return Config(kafka=KafkaConfig(bootstrap_servers=(bootstrap,)))
