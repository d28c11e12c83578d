"""What it costs to be watched: records per second with the page open, beside nobody looking.

The daemon reads a file and is one process all the time. Spans in which nobody looks take turns with
spans in which Chromium shows the status page, ten clients ask each second for what a tab asks for,
and `/metrics` is read each second. The clients are a process of their own and no ten tabs, which
would be drawn by the processor that is measured.
"""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright
from psutil import Process

from tests.benchmarks import testbed, workload
from tests.daemon import Daemon

N_ROUNDS = 10
N_TABS = 10
SPAN_S = 2.0
SETTLE_S = 1.0
WARM_RECORDS = 50_000
N_DISTINCT = 100_000
N_RECORDS = 8_000_000
"""Of those, over and over: eighty seconds at 100,000 records per second."""
CHROMIUM = "/usr/bin/chromium"


class Span(NamedTuple):
    """What the daemon did meanwhile."""

    records_per_s: float
    cpu_us: float
    """Of the daemon, per record."""


def run() -> list[str]:
    """Return records per second unwatched and watched, and the medians of the rounds' ratios."""
    with testbed.directory() as directory, sync_playwright() as playwright:
        source = directory / "in.jsonl"
        write(source)
        settings = {"source": {"path": str(source), "follow": True}, "log": {"format": "json"}}
        daemon = Daemon(directory, settings).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            while testbed.sample(daemon).n_records < WARM_RECORDS:
                time.sleep(0.1)
            with asking(daemon.address) as clients:
                page = browser.new_page()
                rounds = [(span(daemon), watched(daemon, page, clients)) for _ in range(N_ROUNDS)]
        finally:
            browser.close()
            daemon.kill()
    unseen, seen = (
        median(one.records_per_s for one in spans) for spans in zip(*rounds, strict=True)
    )
    ratios = [seen.records_per_s / unseen.records_per_s for unseen, seen in rounds]
    cpu = median(seen.cpu_us / unseen.cpu_us for unseen, seen in rounds)
    return [
        f"being watched: a page in Chromium, {N_TABS} tabs' requests and /metrics each second",
        f"records/s: {unseen:,.0f} unwatched, {seen:,.0f} watched; of {N_ROUNDS} rounds' ratios"
        f" the median {median(ratios):.1%}, from {min(ratios):.1%} to {max(ratios):.1%}",
        f"CPU of the daemon per record, median ratio: {cpu:.1%}",
    ]


def write(source: Path) -> None:
    """Write the stream, a chunk at a time."""
    chunk = b"\n".join(workload.values(N_DISTINCT)) + b"\n"
    with source.open("wb") as file:
        file.writelines(islice(cycle([chunk]), N_RECORDS // N_DISTINCT))


def watched(daemon: Daemon, page: Page, clients: Process) -> Span:
    """Measure a span in which the page is open, tabs ask and metrics are scraped."""
    page.goto(daemon.address)
    page.wait_for_selector("#state.good")
    clients.resume()
    time.sleep(SETTLE_S)
    result = span(daemon)
    clients.suspend()
    page.goto("about:blank")
    return result


def span(daemon: Daemon) -> Span:
    """Measure `SPAN_S` as they are."""
    first = testbed.sample(daemon)
    time.sleep(SPAN_S)
    last = testbed.sample(daemon)
    n = last.n_records - first.n_records
    return Span(n / (last.at - first.at), 1e6 * (last.cpu_s - first.cpu_s) / n)


@contextmanager
def asking(address: str) -> Iterator[Process]:
    """Yield a process that asks as tabs and Prometheus do, once it is resumed."""
    process = multiprocessing.get_context("spawn").Process(target=ask_all, args=[address])
    process.start()
    clients = Process(process.pid)
    time.sleep(SETTLE_S)
    clients.suspend()
    try:
        yield clients
    finally:
        clients.kill()
        process.join()


def ask_all(address: str) -> None:
    """Ask for ever."""
    paths = ["/metrics", *["/status?partition=in-0"] * N_TABS]
    with ThreadPoolExecutor(len(paths)) as threads:
        for at, path in enumerate(paths):
            threads.submit(ask_each_second, address + path, at / len(paths))


def ask_each_second(url: str, after_s: float) -> None:
    """Ask for one address, as a browser does that remembers the last answer."""
    time.sleep(after_s)
    tag = ""
    while True:
        started = time.monotonic()
        try:
            with urlopen(Request(url, headers={"If-None-Match": tag})) as answer:  # noqa: S310 - our own.
                answer.read()
                tag = answer.headers["ETag"] or ""
        except HTTPError as error:
            if error.code != 304:
                raise
        time.sleep(max(0.0, started + 1.0 - time.monotonic()))
