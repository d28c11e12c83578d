"""One step of the model beside the matrix products it cannot avoid, interleaved, on one thread."""

import time
from collections.abc import Callable
from statistics import median, quantiles

import numpy as np
import torch

from streamae.autoencoders.denoising_sparse import SPACING
from streamae.autoencoders.network import FEWEST_COLUMNS
from streamae.config import DetectorConfig
from streamae.detector import Detector, set_threads
from streamae.types import Floats

SIZES = (10, 40, 128)
N_ROUNDS = 30

Product = tuple[int, int, int]
"""Rows, inner dimension and columns of a matrix product."""


def run() -> list[str]:
    """Return a table of microseconds of CPU time per record, by number of features."""
    set_threads(1)
    lines = [
        "model step, us of CPU per record at the default configuration, median of rounds;"
        " p99 over blocks, of both and of learning alone, in medians of the same",
        f"{'':10}{'score':>8}{'learn':>8}{'both':>8}{'products':>10}{'ratio':>8}{'p99':>8}{'learn':>8}",
    ]
    for d in SIZES:
        score, learn, products, p99, learn_p99 = times(d)
        both = score + learn
        lines.append(
            f"{f'd = {d}':10}{score:8.2f}{learn:8.2f}{both:8.2f}{products:10.2f}"
            f"{both / products:8.1f}{p99:8.1f}{learn_p99:8.1f}"
        )
    return lines


def times(d: int) -> tuple[float, float, float, float, float]:
    """Return the microseconds per record of score, learn and the bare products.

    Behind them, as multiples of the median, the p99 over blocks of score and learn and of learn.
    """
    config = DetectorConfig(device="cpu")
    size, period = config.block_size, config.learning_interval
    detector = Detector(config, d, "benchmark/0")
    while detector.n_blocks * size < 2 * config.autoencoder_memory:
        step(detector, records(size, d, detector.n_blocks))
    products = bare_products(config, d)
    rounds, steps = [], []
    for _ in range(N_ROUNDS):
        blocks = [records(size, d, detector.n_blocks + i) for i in range(period)]
        took = [step(detector, block) for block in blocks]
        floor = cpu_time(products)
        rounds.append((sum(s for s, _ in took), sum(learn for _, learn in took), floor))
        steps += took
    per_record = 1e6 / (size * period)
    score, learn, floor = (median(column) * per_record for column in zip(*rounds, strict=True))
    return score, learn, floor, slowest([sum(one) for one in steps]), slowest([b for _, b in steps])


def slowest(times: list[float]) -> float:
    """Return their 99th percentile over their median."""
    return quantiles(times, n=100)[-1] / median(times)


def records(n: int, d: int, seed: int) -> Floats:
    """Return correlated normal records [n, d]; the correlation is the same for every seed."""
    mixing = np.random.default_rng(d).standard_normal((d, d))
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return (rows @ mixing).astype(np.float32)


def step(detector: Detector, block: Floats) -> tuple[float, float]:
    """Return the seconds that scoring and learning one block took."""
    start = time.process_time()
    scores = detector.score(block, len(block))
    scored = time.process_time()
    detector.learn(block, scores)
    return scored - start, time.process_time() - scored


def bare_products(config: DetectorConfig, d: int) -> Callable[[], None]:
    """Return the products of as many blocks as the autoencoder learns one block of records in.

    Factorising and solving are left out, and so is everything that is linear in the records.
    """
    n, h, inputs = config.block_size, config.hyperparameters["n_latents"], 1 + d
    k = inputs + h
    wide = max(d, FEWEST_COLUMNS)
    score: list[Product] = [(n, inputs, h), (n, h, wide), (n, inputs, wide), (n, d, d), (n, d, d)]
    residual: list[Product] = [(d, n, d)]
    m = n // SPACING
    denoise: list[Product] = [(m, inputs, h), (m, k, d), (m, inputs, d)]
    descend: list[Product] = [(m, d, h), (inputs, m, h)]
    moments: list[Product] = [(k, m, k), (k, m, d), (d, m, d), (d, m, d)]
    period = config.learning_interval
    covariance: list[Product] = [(d, n, d), (d, n, d)]
    shapes = period * (score + residual) + covariance + denoise + descend + moments
    rng = torch.Generator().manual_seed(0)
    pairs = [
        (torch.randn(rows, inner, generator=rng), torch.randn(inner, columns, generator=rng))
        for rows, inner, columns in shapes
    ]

    def multiply() -> None:
        for left, right in pairs:
            torch.mm(left, right)

    return multiply


def cpu_time(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
