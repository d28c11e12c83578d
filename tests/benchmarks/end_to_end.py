"""Records per second over real Kafka with each client, beside bare consumers of the same topic.

One partition, 40 named JSON features per record, the default configuration. The bare consumers (see
`bare`) read and do nothing else. All run in processes of their own, in turns, and count from a
second after their first record until the topic ends or `SPAN_S` have passed: of the daemon
`/metrics` says how far it is. CPU time is that of the process, so the broker's is not in it.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.benchmarks import bare, testbed, workload
from tests.benchmarks.testbed import Sample
from tests.daemon import Daemon
from tests.kafka.cluster import Cluster

N_RECORDS = 600_000
N_ROUNDS = 3
SPAN_S = 8.0
SKIPPED_S = 1.0
INTERVAL_S = 0.25
"""Between two looks at `/metrics`, which cost the daemon some 3 ms each."""

OUTPUTS: dict[str, dict[str, Any]] = {
    "alerts": {},
    "alerts, scores per block": {"scores_per": "block"},
    "alerts, scores per record": {"scores_per": "record"},
}


class Kind(NamedTuple):
    """A way to read the topic with a client."""

    client: str
    name: str


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
        f"end to end over Kafka: {workload.N_FEATURES} features, {size} bytes of JSON per record;"
        " shares are of the bare consumers with the same client",
        f"{'':42}{'records/s':>10}{'lowest':>11}{'highest':>11}{'of iterated':>13}"
        f"{'of polled':>11}{'CPU us':>8}",
    ]
    for kind in rounds[0]:
        rates = [costs[kind].records_per_s for costs in rounds]
        of_iterated = share(rounds, kind, "bare, iterated")
        of_polled = share(rounds, kind, "bare, polled")
        cpu_us = median(costs[kind].cpu_us for costs in rounds)
        lines.append(
            f"{f'{kind.client}: {kind.name}':42}{median(rates):10,.0f}{min(rates):11,.0f}"
            f"{max(rates):11,.0f}{of_iterated:13.0%}{of_polled:11.0%}{cpu_us:8.1f}"
        )
    return lines


def share(rounds: Sequence[dict[Kind, Cost]], kind: Kind, name: str) -> float:
    """Return a kind's records per second as a share of a bare consumer's, round by round."""
    consumer = Kind(kind.client, name)
    return median(costs[kind].records_per_s / costs[consumer].records_per_s for costs in rounds)


def one_round(cluster: Cluster, directory: Path) -> dict[Kind, Cost]:
    """Return the costs of each kind, measured one after the other."""
    costs = {}
    for client, readers in bare.READERS.items():
        for name, reader in readers.items():
            span_s = SKIPPED_S + SPAN_S
            found = bare.samples(reader, cluster.bootstrap, N_RECORDS, span_s)
            costs[Kind(client, f"bare, {name}")] = cost(found)
        for place, (name, output) in enumerate(OUTPUTS.items()):
            group = f"e{directory.name}{place}-{client}"
            costs[Kind(client, name)] = cost(streamae(cluster, directory, group, client, output))
    return costs


def cost(samples: Sequence[Sample]) -> Cost:
    """Return the cost of the records between the first and the last of the samples that count."""
    last = samples[-1]
    first = next(one for one in samples if one.at >= samples[0].at + SKIPPED_S)
    n = last.n_records - first.n_records
    return Cost(n / (last.at - first.at), 1e6 * (last.cpu_s - first.cpu_s) / n)


def streamae(
    cluster: Cluster, directory: Path, name: str, client: str, output: dict[str, Any]
) -> list[Sample]:
    """Run the daemon on the topic; return samples from its first record to its last."""
    if output:
        cluster.create(f"{name}.scores")
        output = {**output, "scores": f"{name}.scores"}
    settings = testbed.settings(cluster, name, **output)
    settings["kafka"]["client"] = client
    daemon = Daemon(directory, settings, name).start()
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
