"""`streamae test`: whether a configuration gives the alerts it is meant to give."""

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from streamae.errors import ConfigError, StorageError, why
from streamae.verbs.options import FINDINGS, Verbs, add_verb, load, use_machine

if TYPE_CHECKING:
    from streamae.cases.file import Case, CaseFile
    from streamae.cases.report import Result
    from streamae.config import Config


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "test", "see that files of records give the alerts expected")
    parser.add_argument("tests", nargs="+", type=Path, metavar="TESTS", help="YAML of tests")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit file as well")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_test)


def _test(arguments: argparse.Namespace) -> int:
    config = load(arguments)
    files = _load(arguments.tests)
    from streamae.cases import report

    use_machine(config)
    results = []
    for file in files:
        for number, case in enumerate(file.cases):
            results.append(_run(file, number, case, config))
            if not arguments.json:
                print(report.render(results[-1]), flush=True)
    print(json.dumps(report.summary(results)) if arguments.json else report.total(results))
    if arguments.junit is not None:
        _write(arguments.junit, report.junit(results))
    return 0 if all(result.passed for result in results) else FINDINGS


def _load(paths: list[Path]) -> list["CaseFile"]:
    """Read all files; raise `ConfigError` with what is wrong in any of them."""
    from streamae.cases.file import load as load_tests

    files, findings = [], []
    for path in paths:
        try:
            files.append(load_tests(path, os.environ))
        except ConfigError as error:
            findings.append(str(error))
    if findings:
        raise ConfigError("\n".join(findings))
    return files


def _run(file: "CaseFile", number: int, case: "Case", config: "Config") -> "Result":
    from streamae.cases.compare import compare
    from streamae.cases.outcome import blame, run
    from streamae.cases.report import Result

    started, places, directory = time.perf_counter(), file.places_of(number), file.path.parent
    try:
        outcome = run(case, config, directory)
    except ConfigError as error:
        raise ConfigError(f"{places['input']}: tests[{number}].{error}") from error
    mismatches = compare(case, outcome, places, partial(blame, case, config, directory))
    seconds = time.perf_counter() - started
    return Result(str(file.path), case.name, outcome, mismatches, seconds)


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"--junit: cannot write {path}: {why(error)}") from error
