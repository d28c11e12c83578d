"""The Dockerfile, beside what it says of the repository and the daemon."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streamae.cli import _parser
from streamae.config import Config
from streamae.config import file as configfile

ROOT = Path(__file__).parents[2]


@pytest.fixture
def text() -> str:
    return (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")


def test_what_is_copied_exists(text: str) -> None:
    for sources in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())


def test_command_is_one_of_the_daemon(text: str) -> None:
    (command,) = re.findall(r"^CMD \[(.*)\]$", text, re.MULTILINE)
    arguments = [argument.strip(' "') for argument in command.split(",")]
    assert callable(_parser().parse_args(arguments).verb)


def test_variables_and_ports_are_those_of_the_daemon(text: str) -> None:
    (exposed,) = re.findall(r"^EXPOSE (\d+)$", text, re.MULTILINE)
    assert int(exposed) == Config().http.port
    variables = dict(re.findall(r"(STREAMAE_\w+)=(\S+)", text))
    assert configfile.load(None, (), variables).http.host == "0.0.0.0"  # noqa: S104
    (probe,) = re.findall(r"'(http://[^']+)'", text)
    assert urlsplit(probe).port == Config().http.port
    assert urlsplit(probe).path == "/livez"


def test_it_does_not_run_as_root(text: str) -> None:
    assert re.findall(r"^USER (\d+)$", text, re.MULTILINE) == ["10001"]
