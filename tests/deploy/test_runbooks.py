"""What the runbooks name is there: alerts, panels, keys, verbs and metrics."""

import re
from pathlib import Path

import pytest

from streamae.cli import _parser
from streamae.config import Config
from streamae.config.keys import keys
from tests.deploy import dashboards
from tests.deploy.promtool import unknown_metrics

FILE = Path(__file__).parents[2] / "deploy/runbooks.md"


@pytest.fixture(scope="module")
def text() -> str:
    return " ".join(FILE.read_text().split())


def test_panels(text: str) -> None:
    shown = [dashboards.load(file) for file in dashboards.FILES]
    titles = {panel["title"] for one in shown for panel in dashboards.panels(one)}
    named = set(re.findall(r"(?<!\*)\*(?=\w)([^*]+)(?<=\w)\*(?!\*)", text))
    assert named - titles - {one["title"] for one in shown} == set()
    assert len(named & titles) > 15


def test_keys_and_metrics(text: str) -> None:
    sections = Config.__struct_fields__
    named = re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_]+)", text)
    assert set(named) - set(keys()) == set()
    assert len(named) > 15
    assert unknown_metrics(text) == set()


def test_verbs(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    named = set(re.findall(r"`streamae ([a-z-]+(?: [a-z]+)?)", text))
    for words in named:
        with pytest.raises(SystemExit) as end:
            _parser().parse_args([*words.split(), "--help"])
        assert end.value.code == 0, capsys.readouterr().err
    assert len(named) > 3


def test_links_lead_somewhere(text: str) -> None:
    headings = {line[3:].lower() for line in FILE.read_text().splitlines() if line[:3] == "## "}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) - headings == set()
