"""What deploy/README.md tells to do can be done: files, links and verbs are there."""

import re
import shlex
from pathlib import Path

from streamae.cli import _parser

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "README.md").read_text()
COMMANDS = [
    shlex.split(command, comments=True)
    for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    for command in line.split(" | ")
]


def test_files_are_there() -> None:
    named = {
        word for command in COMMANDS for word in command if word.startswith(("deploy/", "config/"))
    }
    assert len(named) > 5
    assert [word for word in named if not (DEPLOY.parent / word).exists()] == []


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        path, _, heading = link.partition("#")
        target = (DEPLOY / path).resolve() if path else DEPLOY / "README.md"
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in [title.lower().replace(" ", "-") for title in titles], link


def test_verbs_exist() -> None:
    ours = [
        command[command.index("streamae") + 1 :]
        for command in COMMANDS
        if "streamae" in command and not {"systemctl", "helm", "journalctl"} & set(command)
    ]
    assert [arguments[0] for arguments in ours] == ["topics", "dry-run", "dry-run", "checkpoint"]
    for arguments in ours:
        assert callable(_parser().parse_args(arguments).verb)
