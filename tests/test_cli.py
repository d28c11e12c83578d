import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from streamae import __version__
from streamae.cli import main
from streamae.config import file as configfile

ROOT = Path(__file__).parent.parent
BAD = ROOT / "tests/config"
MINIMAL = str(ROOT / "config/minimal.yaml")
SHIPPED = [str(path) for path in sorted((ROOT / "config").glob("*.yaml"))]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["lint", MINIMAL],
        ["config", "echo"],
        ["config", "init"],
        ["config", "schema"],
        ["config", "reference"],
    ],
    ids=" ".join,
)
def test_quick_verbs_import_nothing_heavy(arguments: list[str]) -> None:
    heavy = {"torch", "kafka", "numpy", "river", "prometheus_client"}
    code = f"import sys; from streamae.cli import main; assert main({arguments}) == 0"
    done = python("-c", f"{code}; assert not {heavy} & set(sys.modules)")
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    versions = json.loads(capsys.readouterr().out)
    assert versions["streamae"] == __version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "kafka-python", "platform"} <= set(versions)
    assert main(["version"]) == 0
    assert capsys.readouterr().out == "".join(f"{k} {v}\n" for k, v in versions.items())


@pytest.mark.parametrize(
    "arguments",
    [[], ["rum"], ["lint"], ["config"], ["run", "--rows"], ["evaluate"], ["demo", "--feed", "x"]],
    ids=" ".join,
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: streamae" in capsys.readouterr().err


def test_version_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"streamae {__version__}\n"


@pytest.mark.parametrize("rows", ["0", "-1", "x"])
def test_rows_must_be_positive(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "data.npz", f"--rows={rows}"])
    assert "must be a whole number above 0" in capsys.readouterr().err


def test_lint_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", *SHIPPED[1:], "-c", SHIPPED[0]]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{path}: ok" for path in SHIPPED]


def test_lint_prints_every_finding_of_every_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    names = sorted(path.name for path in BAD.glob("*.bad.yaml"))
    assert main(["lint", *names, MINIMAL]) == 78
    printed = capsys.readouterr()
    assert printed.err == (BAD / "findings.txt").read_text()
    assert printed.out == f"{MINIMAL}: ok\n"


def test_lint_unreadable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "no such file"]) == 78
    assert capsys.readouterr().err == "no such file: cannot be read: No such file or directory\n"


def test_lint_with_override(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", MINIMAL, "--set", "http.port=x"]) == 78
    assert capsys.readouterr().err.startswith("--set: http.port: expected a whole number")


def test_echo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMAE_KAFKA__SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("NAME", "west")
    assert main(["config", "echo", "-c", MINIMAL, "--set", "http.port=1"]) == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    shown = yaml.safe_load(printed)
    assert (shown["name"], shown["source"]["kind"], shown["http"]["port"]) == ("west", "kafka", 1)
    assert "[redacted]" in shown["kafka"].values()


@pytest.mark.parametrize("verb", ["run", "topics", "config echo"])
def test_a_bad_configuration_stops_every_verb(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb.split(), "--set", "a=1", "--set", "b=1"]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": unknown key")[0] for line in lines] == ["--set: a", "--set: b"]


def test_topics() -> None:
    done = python("-m", "streamae", "topics", "-c", MINIMAL, "--set", "output.scores=scores")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "sensors: input"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "sensors-alerts",
        "scores",
        "sensors-rejected",
        "streamae-state",
    ]
    assert "cleanup.policy=compact" in lines[-1]


def test_topics_need_kafka(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topics"]) == 78
    assert capsys.readouterr().err == "source.kind: only `kafka` has topics\n"


@pytest.mark.slow
def test_topics_without_a_broker() -> None:
    unreachable = "kafka={bootstrap_servers: ['127.0.0.1:1'], connect_timeout: 500ms}"
    done = python("-m", "streamae", "topics", "--create", "-c", MINIMAL, "--set", unreachable)
    assert done.returncode == 69, done.stderr
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_unexpected_errors_leave_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def load(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(configfile, "load", load)
    assert main(["config", "echo"]) == 70
    assert "RuntimeError: boom" in caplog.text


@pytest.mark.parametrize(("to", "code"), [(">/dev/full", 74), (">&-", 0), ("-c nowhere 2>&-", 78)])
def test_an_answer_that_cannot_be_written(to: str, code: int) -> None:
    command = ["sh", "-c", f"{sys.executable} -m streamae config echo {to}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert (done.stderr == "cannot write the answer: No space left on device\n") == (code == 74)


def test_an_interrupt_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(configfile, "load", load)
    assert main(["config", "echo"]) == 130


@pytest.mark.parametrize("verb", ["schema", "echo"])
def test_a_reader_may_leave(verb: str) -> None:
    command = [sys.executable, "-m", "streamae", "config", verb]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.slow
def test_what_ends_a_run_is_a_log_line_like_the_others(tmp_path: Path) -> None:
    done = python(
        "-m",
        "streamae",
        "run",
        "--set",
        f"source.path={tmp_path}/none.jsonl",
        "--set",
        f"state.directory={tmp_path}/state",
        "--set",
        f"output.alerts={tmp_path}/alerts",
        "--set",
        f"output.dead_letters={tmp_path}/letters",
        "--set",
        "http.enabled=false",
    )
    (line,) = map(json.loads, done.stderr.splitlines())
    assert done.returncode == line["exit_code"] == 78
    assert line["level"] == "error"
    assert line["event"].startswith("source.path: cannot read")


@pytest.mark.slow
def test_run_until_the_end_of_a_file(tmp_path: Path) -> None:
    done = run(tmp_path, "--set", "output.alerts=alerts.jsonl")
    assert done.returncode == 0, done.stderr
    scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert len(scores) == 600


@pytest.mark.slow
def test_evaluate(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 5 if i % 100 else 50},{int(i % 100 == 0)}" for i in range(2000)]
    (tmp_path / "labelled.csv").write_text("\n".join(["a,b,anomaly", *rows]) + "\n")
    command = ["-m", "streamae", "evaluate", str(tmp_path / "labelled.csv"), "--label", "anomaly"]
    done = python(*command, "--rows", "1500", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["rows"], report["features"]) == (1500, 2)
    assert "1,500" in python(*command, "--rows", "1500").stdout
    assert python(*command[:-1], "anomlay").returncode == 78


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMAE_")}


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    lines = (json.dumps({"a": i % 7, "b": i % 5}) for i in range(600))
    (directory / "input.jsonl").write_text("".join(f"{line}\n" for line in lines))
    settings = ["source.path=input.jsonl", "output.scores=scores.jsonl", "http.port=0"]
    overrides = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "streamae", "run", *overrides, *arguments]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, env=environ()
    )
