"""The file of tests: every key of it, read with the care and the words of the configuration."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from streamae.config import reference
from streamae.config.document import Violation, assemble, read_text
from streamae.config.keys import sections
from streamae.config.section import Section, about
from streamae.config.settings import Reader
from streamae.config.values import Duration, Span
from streamae.decode import Reason
from streamae.errors import why
from streamae.records import Severity

NONE = Span(0, 0)

_DOCUMENT = """\
# Tests of a configuration

`streamae test -c FILE TESTS.yaml...` runs the records of each test through the daemon's own
pipeline. They come from `input`, or are made as `generate` says. What comes out has to be what is
listed under `alerts`, `drifts` and `dead_letters`, and nothing else unless `at_most` allows more
alerts. An alert meets an expectation when it agrees with every key that is given; each alert meets
one.

`pumps.yaml` and `shuttle.yaml` are examples for `../minimal.yaml`.

{keys}"""

if TYPE_CHECKING:
    DeadLetters = Section
else:
    DeadLetters = msgspec.defstruct(
        "DeadLetters",
        [
            (reason.value, Annotated[Span, about("How many records, as in `2` or `1-3`.")], NONE)
            for reason in Reason
        ],
        bases=(Section,),
        frozen=True,
        kw_only=True,
    )


class Feature(Section, frozen=True):
    name: Annotated[str, about("Its name in the records.")] = ""
    mean: Annotated[float, about("Its level.")] = 0.0
    noise: Annotated[float, about("Standard deviation of what is normal about it.", ge=0)] = 1.0
    swing: Annotated[float, about("How far it goes up and down around its level.", ge=0)] = 0.0
    period: Annotated[int, about("Records from one crest of `swing` to the next.", ge=2)] = 256
    follows: Annotated[
        str | None, about("An earlier feature, whose distance from its level is added.")
    ] = None
    by: Annotated[float, about("What that distance is multiplied by.")] = 1.0


class Change(Section, frozen=True):
    records: Annotated[
        Span | None, about("Which records it is about, the first is 0: `2500` or `2500-2509`.")
    ] = None
    feature: Annotated[str | None, about("Which feature.")] = None
    add: Annotated[float, about("Added to the feature.")] = 0.0
    becomes: Annotated[float | Literal["missing"] | None, about("What the feature is instead.")] = (
        None
    )
    raw: Annotated[str | None, about("Text that replaces the whole record, to be rejected.")] = None


class Generate(Section, frozen=True):
    records: Annotated[int, about("How many.", ge=1, le=10_000_000)] = 3000
    seed: Annotated[int, about("Changes the noise.", ge=0)] = 0
    keys: Annotated[tuple[str, ...], about("Keys of the records, in turn.")] = ()
    interval: Annotated[Duration, about("Event time from one record to the next.")] = Duration(1)
    features: tuple[Feature, ...] = ()
    changes: tuple[Change, ...] = ()


class ExpectedAlert(Section, frozen=True):
    offset: Annotated[
        Span | None, about("Offset, in a file the line, the first is 0: `12` or `12-20`.")
    ] = None
    ordinal: Annotated[Span | None, about("Number among the valid records, the first is 0.")] = None
    key: Annotated[str | None, about("Key of the record.")] = None
    severity: Annotated[Severity | None, about("How severe.")] = None
    top_feature: Annotated[str | None, about("The feature to blame most, as alerts name it.")] = (
        None
    )


class ExpectedDrift(Section, frozen=True):
    offset: Annotated[Span | None, about("Offset of the record that made it normal.")] = None
    since: Annotated[Span | None, about("Offset from which the shift was seen.")] = None
    feature: Annotated[str | None, about("A feature that moved.")] = None


class Case(Section, frozen=True):
    name: Annotated[str, about("What is shown, and what JUnit calls it.")] = ""
    input: Annotated[
        str | None, about("JSON Lines, or CSV by its ending, relative to this file.")
    ] = None
    topic: Annotated[
        str | None,
        about("Topic the records stand for; default: that of the configuration's records."),
    ] = None
    generate: Generate = Generate()
    alerts: tuple[ExpectedAlert, ...] = ()
    at_most: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        about("Alerts there may be, those listed among them; null: those listed alone."),
    ] = None
    drifts: tuple[ExpectedDrift, ...] = ()
    dead_letters: DeadLetters = DeadLetters()

    @property
    def letters(self) -> Mapping[str, Span]:
        """How many dead letters there must be, by reason."""
        return {reason.value: getattr(self.dead_letters, reason.value) for reason in Reason}


class Document(Section, frozen=True):
    tests: tuple[Case, ...] = ()


class CaseFile(NamedTuple):
    """A file of tests that has no fault."""

    path: Path
    cases: tuple[Case, ...]
    places: Mapping[str, str]
    """`FILE:LINE` by key, such as `tests[0].alerts[1]`."""

    def places_of(self, number: int) -> Mapping[str, str]:
        """Return those of one test by key of the test, such as `alerts[1]`."""
        prefix = f"tests[{number}]."
        return {
            key.removeprefix(prefix): place
            for key, place in self.places.items()
            if key.startswith(prefix)
        }


def load(path: Path, environ: Mapping[str, str]) -> CaseFile:
    """Read a file of tests; raise `ConfigError` with everything that is wrong, one line each."""
    reader = Reader(sections(Document), environ)
    reader.read_yaml(read_text(path), str(path))
    document = assemble(reader, Document, partial(_check, path.parent), str(path))
    return CaseFile(path, document.tests, reader.places)


def document() -> str:
    """Return the reference of all keys as a Markdown document."""
    return _DOCUMENT.format(keys=reference.table(Document))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of tests, for editors."""
    return reference.schema(Document, "streamae tests")


def _check(directory: Path, document: Document) -> Iterator[Violation]:
    if not document.tests:
        yield "tests", "there is none"
    names: set[str] = set()
    for number, case in enumerate(document.tests):
        place = f"tests[{number}]"
        if not case.name:
            yield f"{place}.name", "say what it shows"
        elif case.name in names:
            yield f"{place}.name", f"'{case.name}' is the name of an earlier test"
        names.add(case.name)
        yield from ((f"{place}.{key}", text) for key, text in _check_records(directory, case))
        if case.at_most is not None and case.at_most < len(case.alerts):
            yield f"{place}.at_most", f"must be at least {len(case.alerts)}, `alerts` lists as many"


def _check_records(directory: Path, case: Case) -> Iterator[Violation]:
    generates = bool(case.generate.features)
    if case.input is None and not generates:
        yield "input", "name a file, or say under `generate.features` what to make"
    if case.input is not None and generates:
        yield "generate", "give `input` or `generate`, not both"
    if case.input is not None and (problem := _unreadable(directory / case.input)):
        yield "input", f"'{case.input}' cannot be read: {problem}"
    if generates:
        yield from ((f"generate.{key}", text) for key, text in _check_generate(case.generate))


def _check_generate(generate: Generate) -> Iterator[Violation]:
    earlier: list[str] = []
    for number, feature in enumerate(generate.features):
        place = f"features[{number}]"
        if not feature.name or feature.name in earlier:
            yield f"{place}.name", f"'{feature.name}' is taken" if feature.name else "name it"
        if feature.follows is not None and feature.follows not in earlier:
            yield f"{place}.follows", f"'{feature.follows}' is no feature before this one"
        earlier.append(feature.name)
    for number, change in enumerate(generate.changes):
        yield from (
            (f"changes[{number}].{key}", text)
            for key, text in _check_change(change, generate.records, earlier)
        )


def _check_change(change: Change, n: int, features: list[str]) -> Iterator[Violation]:
    if change.records is None or change.records.last >= n:
        yield "records", f"name some of the records 0 to {n - 1}"
    if change.raw is not None:
        if change.feature is not None or change.becomes is not None or change.add:
            yield "raw", "replaces the whole record: nothing else can be said of it"
        return
    if change.feature not in features:
        yield "feature", f"name one of {', '.join(features)}"
    if (change.becomes is not None) == bool(change.add):
        yield "becomes", "give `add` or `becomes`"


def _unreadable(path: Path) -> str | None:
    try:
        path.open("rb").close()
    except OSError as error:
        return why(error)
    except ValueError as error:  # A name with a zero byte.
        return str(error)
    return None
