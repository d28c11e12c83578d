"""What a document may have that the configuration has not: lists of sections, and spans."""

from collections.abc import Iterator
from typing import Annotated, Any

import jsonschema
import pytest
import yaml

from streamae.config import reference
from streamae.config.document import Violation, assemble
from streamae.config.keys import keys, pattern, sections
from streamae.config.section import Section, about
from streamae.config.settings import Reader
from streamae.config.values import Span
from streamae.errors import ConfigError


class Leaf(Section, frozen=True):
    at: Annotated[Span | None, about("Where.")] = None
    size: Annotated[int, about("How large.", ge=0)] = 1


class Branch(Section, frozen=True):
    name: Annotated[str, about("What.")] = ""
    leaves: tuple[Leaf, ...] = ()


class Tree(Section, frozen=True):
    branches: tuple[Branch, ...] = ()
    root: Leaf = Leaf()


def read(text: str) -> Tree:
    reader = Reader(sections(Tree), {})
    reader.read_yaml(text, "t.yaml")
    return assemble(reader, Tree, check, "t.yaml")


def check(tree: Tree) -> Iterator[Violation]:
    for number, branch in enumerate(tree.branches):
        if not branch.name:
            yield f"branches[{number}].name", "name it"


def test_keys_and_sections_of_lists() -> None:
    assert list(keys(Tree)) == [
        "branches[].name",
        "branches[].leaves[].at",
        "branches[].leaves[].size",
        "root.at",
        "root.size",
    ]
    assert list(sections(Tree)) == ["", "branches[]", "branches[].leaves[]", "root"]
    assert pattern("branches[12].leaves[0].at") == "branches[].leaves[].at"


def test_lists_of_sections_are_built_in_order() -> None:
    tree = read(
        "branches:\n- name: a\n  leaves: [{size: 3}, {at: 4-6}, {}]\n- name: b\n  leaves:\nroot:\n"
    )
    assert [branch.name for branch in tree.branches] == ["a", "b"]
    assert [leaf.size for leaf in tree.branches[0].leaves] == [3, 1, 1]
    at = tree.branches[0].leaves[1].at
    assert at is not None
    assert (at.first, at.last, str(at)) == (4, 6, "4-6")
    assert tree.branches[1].leaves == ()
    assert read("branches: []") == read("branches:") == Tree()


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "branches:\n- name: a\n- nam: b\n",
            "t.yaml:3: branches[1].nam: unknown key; did you mean 'name'? (valid: name, leaves)",
        ),
        (
            "branches:\n- name: a\n  leaves:\n  - size: -1\n",
            "t.yaml:4: branches[0].leaves[0].size: expected a whole number of at least 0, got '-1'",
        ),
        (
            "branches: {name: a}",
            "t.yaml:1: branches: expected a list of mappings, got a mapping",
        ),
        ("branches: a", "t.yaml:1: branches: expected a list of mappings, got 'a'"),
        ("branches: [a]", "t.yaml:1: branches[0]: expected a mapping of keys, got 'a'"),
        ("branches:\n- name: a\n-\n", "t.yaml:3: branches[1].name: name it"),
        ("branches:\n- name: a\n- leaves: []\n", "t.yaml:3: branches[1].name: name it"),
        (
            "root: {at: 6-4}",
            "t.yaml:1: root.at: expected a whole number or a range such as 10-20 or null, got"
            " '6-4'",
        ),
        (
            "root: [{at: 1}]",
            "t.yaml:1: root: expected a mapping of keys, got a list",
        ),
    ],
)
def test_findings(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).splitlines() == [finding]


@pytest.mark.parametrize(
    ("text", "first", "last"), [("7", 7, 7), ("7-7", 7, 7), ("0 - 9", 0, 9)], ids=str
)
def test_spans(text: str, first: int, last: int) -> None:
    span = Span.parse(text)
    assert (span.first, span.last) == (first, last)
    assert first in span
    assert last in span
    assert last + 1 not in span


@pytest.mark.parametrize("text", ["", "-1", "x", "1.5", "1-", "1--2", "9" * 30, "2-1"])
def test_no_spans(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the value itself.
        Span.parse(text)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("branches: [{name: a, leaves: [{at: 1-2}, {at: 3}]}]", True),
        ("branches: null", True),
        ("branches: {name: a}", False),
        ("branches: [{leaves: [{at: x}]}]", False),
        ("branches: [{nam: x}]", False),
    ],
)
def test_schema(text: str, fits: bool) -> None:
    schema: dict[str, Any] = reference.schema(Tree, "tree")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(text)) == fits
