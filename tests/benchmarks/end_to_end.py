"""Records per second over real Kafka, beside a bare consumer of the same topic.

One partition, 40 named JSON features per record, the default configuration. Two bare consumers are
kafka-python alone and take each record's value and its length, nothing else: `iterated` is the
usual `for record in consumer` with the library's defaults, `polled` takes whole polls with the
fetch settings of `streamae.kafka.settings`. All run in processes of their own, in turns, and count
from a second after their first record until the topic ends or `SPAN_S` have passed: of the daemon
`/metrics` says how far it is. CPU time is that of the process, so the broker's is not in it.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from streamae.config import Config, KafkaConfig
from streamae.kafka import settings as client
from tests.benchmarks import testbed, workload
from tests.benchmarks.testbed import Sample
from tests.daemon import Daemon
from tests.kafka.cluster import Cluster

N_RECORDS = 600_000
N_ROUNDS = 3
SPAN_S = 8.0
SKIPPED_S = 1.0
INTERVAL_S = 0.25
"""Between two looks at `/metrics`, which cost the daemon some 3 ms each."""

KINDS: dict[str, dict[str, Any]] = {
    "alerts": {},
    "alerts, scores per block": {"scores_per": "block"},
    "alerts, scores per record": {"scores_per": "record"},
}


class Cost(NamedTuple):
    """What a record costs a process."""

    records_per_s: float
    cpu_us: float


def run() -> list[str]:
    """Return a table of records and CPU time per second, medians of the rounds."""
    with testbed.kafka() as cluster, testbed.directory() as directory:
        workload.fill(cluster.bootstrap, testbed.TOPIC, N_RECORDS)
        rounds = [one_round(cluster, directory / str(number)) for number in range(N_ROUNDS)]
    size = len(next(workload.values(1)))
    lines = [
        f"end to end over Kafka: {workload.N_FEATURES} features, {size} bytes of JSON per record",
        f"{'':28}{'records/s':>10}{'lowest':>10}{'highest':>10}{'of iterated':>13}"
        f"{'of polled':>11}{'CPU us':>8}",
    ]
    for kind in rounds[0]:
        rates = [costs[kind].records_per_s for costs in rounds]
        of_iterated = share(rounds, kind, "bare, iterated")
        of_polled = share(rounds, kind, "bare, polled")
        cpu_us = median(costs[kind].cpu_us for costs in rounds)
        lines.append(
            f"{kind:28}{median(rates):10,.0f}{min(rates):10,.0f}{max(rates):10,.0f}"
            f"{of_iterated:13.0%}{of_polled:11.0%}{cpu_us:8.1f}"
        )
    return lines


def share(rounds: Sequence[dict[str, Cost]], kind: str, bare: str) -> float:
    """Return the records per second of a kind as a share of a bare consumer's, round by round."""
    return median(costs[kind].records_per_s / costs[bare].records_per_s for costs in rounds)


def one_round(cluster: Cluster, directory: Path) -> dict[str, Cost]:
    """Return the costs of each kind, measured one after the other."""
    costs = {
        f"bare, {reader.__name__}": cost(in_own_process(reader, cluster.bootstrap))
        for reader in (iterated, polled)
    }
    for place, (kind, output) in enumerate(KINDS.items()):
        costs[kind] = cost(streamae(cluster, directory, f"e{directory.name}{place}", output))
    return costs


def cost(samples: Sequence[Sample]) -> Cost:
    """Return the cost of the records between the first and the last of the samples that count."""
    last = samples[-1]
    first = next(one for one in samples if one.at >= samples[0].at + SKIPPED_S)
    n = last.n_records - first.n_records
    return Cost(n / (last.at - first.at), 1e6 * (last.cpu_s - first.cpu_s) / n)


def in_own_process(reader: Callable[[str], list[Sample]], bootstrap: str) -> list[Sample]:
    """Run a bare consumer in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(reader, bootstrap).result()


def iterated(bootstrap: str) -> list[Sample]:
    """Consume the topic record by record; return a sample for each thousand."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    consumer.assign([TopicPartition(testbed.TOPIC, 0)])
    consumer.seek_to_beginning()
    samples: list[Sample] = []
    n_bytes = 0
    for n_records, record in enumerate(islice(consumer, N_RECORDS), 1):
        n_bytes += len(record.value)
        if n_records % 1000 == 0:
            samples.append(Sample(time.perf_counter(), n_records, time.process_time(), n_bytes))
    consumer.close()
    return samples


def polled(bootstrap: str) -> list[Sample]:
    """Consume the topic poll by poll; return a sample for each that brought records."""
    config = Config(kafka=KafkaConfig(bootstrap_servers=(bootstrap,)))
    consumer = KafkaConsumer(
        **client.reader(config),
        isolation_level="read_committed",
        max_poll_records=config.source.max_poll_records,
    )
    consumer.assign([TopicPartition(testbed.TOPIC, 0)])
    consumer.seek_to_beginning()
    samples: list[Sample] = []
    n_records = n_bytes = 0
    while n_records < N_RECORDS:
        for records in consumer.poll(100).values():
            n_records += len(records)
            n_bytes += sum(len(record.value) for record in records)
        if n_records:
            samples.append(Sample(time.perf_counter(), n_records, time.process_time(), n_bytes))
    consumer.close()
    return samples


def streamae(cluster: Cluster, directory: Path, name: str, output: dict[str, Any]) -> list[Sample]:
    """Run the daemon on the topic; return samples from its first record to its last."""
    if output:
        cluster.create(f"{name}.scores")
        output = {**output, "scores": f"{name}.scores"}
    daemon = Daemon(directory, testbed.settings(cluster, name, **output), name).start()
    samples: list[Sample] = []
    try:
        while not over(samples):
            time.sleep(INTERVAL_S)
            taken = testbed.sample(daemon)
            if taken.n_records > 0:
                samples.append(taken)
        # The last sample was taken some time after the last record.
        return samples[:-1] if samples[-1].n_records == N_RECORDS else samples
    finally:
        daemon.kill()


def over(samples: Sequence[Sample]) -> bool:
    if not samples:
        return False
    first, last = samples[0], samples[-1]
    return last.n_records == N_RECORDS or last.at - first.at >= SKIPPED_S + SPAN_S
