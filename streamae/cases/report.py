"""What tests found, for people, for programs and for what collects JUnit files."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

import msgspec

from streamae.cases.compare import Mismatch
from streamae.cases.outcome import Outcome
from streamae.terminal import counted, printable

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


class Result(NamedTuple):
    """One test that was run."""

    path: str
    """Of its file."""
    name: str
    outcome: Outcome
    mismatches: list[Mismatch]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing differed."""
        return not self.mismatches


def render(result: Result) -> str:
    """Return a line, and below it what differs."""
    outcome = result.outcome
    counts = [counted(outcome.n_records, "record"), counted(len(outcome.alerts), "alert")]
    counts += [counted(len(outcome.drifts), "drift")] * bool(outcome.drifts)
    counts += [counted(outcome.dead_letters.total(), "dead letter")] * bool(outcome.dead_letters)
    verdict = "ok  " if result.passed else "FAIL"
    line = f"{verdict}  {result.path}: {printable(result.name)} ({', '.join(counts)})"
    return "\n".join([line, *(f"      {line}" for line in _lines(result.mismatches))])


def total(results: Sequence[Result]) -> str:
    """Return the last line."""
    failed = sum(not result.passed for result in results)
    return f"{counted(len(results), 'test')}, {failed:,} failed"


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return all results as JSON types; the same for the same configuration and tests."""
    return {
        "tests": len(results),
        "failed": sum(not result.passed for result in results),
        "results": [
            {
                "file": result.path,
                "name": result.name,
                "passed": result.passed,
                "mismatches": [mismatch._asdict() for mismatch in result.mismatches],
                "records": result.outcome.n_records,
                "warm_from": result.outcome.warm_from,
                "dead_letters": dict(result.outcome.dead_letters),
                "alerts": msgspec.to_builtins(result.outcome.alerts),
                "drifts": msgspec.to_builtins(result.outcome.drifts),
            }
            for result in results
        ],
    }


def junit(results: Sequence[Result]) -> str:
    """Return the results as a JUnit file, a test suite per file of tests."""
    root = ElementTree.Element("testsuites")
    for path in dict.fromkeys(result.path for result in results):
        of_file = [result for result in results if result.path == path]
        failures = sum(not result.passed for result in of_file)
        suite = ElementTree.SubElement(
            root, "testsuite", name=path, tests=str(len(of_file)), failures=str(failures)
        )
        for result in of_file:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=path,
                name=printable(result.name),
                time=f"{result.seconds:.3f}",
            )
            if not result.passed:
                lines = list(_lines(result.mismatches))
                failure = ElementTree.SubElement(case, "failure", message=lines[0])
                failure.text = "\n".join(lines)
    ElementTree.indent(root)
    return f"{_DECLARATION}\n{ElementTree.tostring(root, encoding='unicode')}\n"


def _lines(mismatches: Sequence[Mismatch]) -> Iterator[str]:
    for mismatch in mismatches:
        yield printable(mismatch.message)
        yield from (f"  {printable(line)}" for line in mismatch.detail)
