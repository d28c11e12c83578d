"""Run the benchmarks, all of them or those named, and print one report.

    python -m tests.benchmarks [NAME...]

`models`, `peers` and `ablation` take ten to twenty minutes each; they and `oracle` run only when
they are named. Figures of different runs are hard to compare, ratios within one are not: what is
compared runs in turns. Nothing else should run on the machine.
"""

import argparse
import os
from importlib import import_module

from tests.benchmarks import machine

NAMES = (
    *("decode", "model_step", "end_to_end", "latency", "memory", "quality", "calibration"),
    *("curved", "linear", "watched", "stacked"),
)


def main() -> None:
    """Print the machine, then the table of each benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "names",
        nargs="*",
        choices=[*NAMES, "models", "peers", "ablation", "oracle", []],
        metavar="NAME",
    )
    names = parser.parse_args().names or NAMES
    # A second thread per matrix product waits for the first more than it helps (see README).
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(machine.line(), flush=True)
    for name in names:
        lines = import_module(f"tests.benchmarks.{name}").run()
        print("", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
