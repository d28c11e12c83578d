"""From a record to its committed alert: how long at 5,000 records per second.

A process of its own sends records at a steady rate, each with the time of sending as its timestamp,
some of them planted anomalies. The daemon runs on the default configuration, warm. A consumer that
reads only what is committed takes the time of arrival of each alert, whose timestamp is that of its
record: the producer's and the broker's time is in the figure too. One clock, to the millisecond.
"""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import quantiles

from kafka import KafkaConsumer, TopicPartition

from streamae.records import ANOMALY
from tests.benchmarks import testbed, workload
from tests.daemon import Daemon

RATE = 5000
BURSTS_PER_S = 100
ODD_SHARE = 0.002
WARM_RECORDS = 20_000
PREPARE_S = 10.0
"""For the sender to start and make its records."""
SETTLE_S = 5.0
SPAN_S = 30.0
DRAIN_S = 3.0
"""After the last record."""
ALERT_TYPE = ("ce_type", f"io.streamae.{ANOMALY}.v1".encode())


def run() -> list[str]:
    """Return the median and the 99th percentile of the latency in milliseconds."""
    with testbed.kafka() as cluster, testbed.directory() as directory:
        workload.fill(cluster.bootstrap, testbed.TOPIC, WARM_RECORDS)
        configured = testbed.settings(cluster, "latency")
        daemon = Daemon(directory, configured).start()
        try:
            while testbed.metric(daemon, "streamae_records_consumed_total") < WARM_RECORDS:
                time.sleep(0.1)
            rate, latencies_ms = measure(cluster.bootstrap, configured["output"]["alerts"])
        finally:
            daemon.kill()
    percentiles = quantiles(latencies_ms, n=100)
    return [
        f"record to committed alert, {len(latencies_ms)} alerts at {rate:,.0f} records/s",
        f"p50 {percentiles[49]:.0f} ms, p99 {percentiles[98]:.0f} ms, max {max(latencies_ms)} ms",
    ]


def measure(bootstrap: str, topic: str) -> tuple[float, list[int]]:
    """Return the records sent per second, and the latency of each alert once things are steady."""
    begin_s = time.time() + PREPARE_S
    steady_ms = 1000 * (begin_s + SETTLE_S)
    until_s = begin_s + SETTLE_S + SPAN_S + DRAIN_S
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        rate = processes.submit(send, bootstrap, begin_s)
        pairs = arrivals(bootstrap, topic, until_s)
        latencies_ms = [arrived - sent for sent, arrived in pairs if sent >= steady_ms]
        return rate.result(), latencies_ms


def send(bootstrap: str, begin_s: float) -> float:
    """Send at `RATE` from `begin_s` on; return the rate that became of it."""
    burst = RATE // BURSTS_PER_S
    n = int(RATE * (SETTLE_S + SPAN_S))
    values = list(workload.values(n, seed=2, odd_share=ODD_SHARE))
    producer = workload.producer(bootstrap, linger_ms=0)
    for at, value in enumerate(values):
        if at % burst == 0:
            time.sleep(max(0.0, begin_s + at / RATE - time.time()))
        stamp = now_ms()
        producer.send(testbed.TOPIC, value, workload.key(at), partition=0, timestamp_ms=stamp)
    rate = n / (time.time() - begin_s)
    producer.flush()
    producer.close()
    return rate


def arrivals(bootstrap: str, topic: str, until_s: float) -> Iterator[tuple[int, int]]:
    """Yield for each committed alert when its record was sent and when it arrived here, in ms."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    while time.time() < until_s:
        for alerts in consumer.poll(100).values():
            arrived = now_ms()
            yield from ((one.timestamp, arrived) for one in alerts if ALERT_TYPE in one.headers)
    consumer.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000
