"""The command line: verbs, signals and exit codes; nothing else.

A verb imports what it needs when it runs, so that `lint`, `config` and `version` answer at once.
Exit codes are those of `errors`; a wrong command line is 2, as argparse has it.
"""

# ruff: noqa: PLC0415

import argparse
import json
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from importlib import metadata
from pathlib import Path
from types import FrameType

import streamae
from streamae.config import Config, Secret
from streamae.config import file as configfile
from streamae.errors import ConfigError, StreamaeError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_INTERRUPTED = 128 + signal.SIGINT
_LIBRARIES = ("torch", "kafka-python", "numpy", "msgspec")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code."""
    arguments = _parser().parse_args(argv)
    verb: Callable[[argparse.Namespace], int] = arguments.verb
    try:
        exit_code = verb(arguments)
        sys.stdout.flush()
    except StreamaeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left, as `head` does; flushing at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        logging.getLogger("streamae").exception("unexpected error")
        return StreamaeError.exit_code
    return exit_code


def _run(arguments: argparse.Namespace) -> int:
    # Nothing is open yet, and importing torch takes seconds.
    for each in _SIGNALS:
        signal.signal(each, lambda *_: sys.exit(0))
    config = _load(arguments)
    from streamae import app, log
    from streamae.progress import progress_bar
    from streamae.terminal import Terminal

    terminal = Terminal(sys.stderr, os.environ)
    log.configure(config.log.level, config.log.format, terminal, _secrets(config))
    try:
        daemon = app.build(config)
        _stop_on_signal(daemon.stop)
        finite = config.source.kind == "file" and not config.source.follow
        with progress_bar(terminal, daemon.status) if finite and terminal.live else nullcontext():
            daemon.run()
    except StreamaeError as error:
        # What collects the log gets the reason in the format of the other lines.
        log.Logger(__name__).error(str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0


def _lint(arguments: argparse.Namespace) -> int:
    paths = [*arguments.config, *arguments.files]
    if not paths:
        arguments.refuse("name at least one file")
    exit_code = 0
    for path in paths:
        try:
            configfile.load(path, arguments.overrides, os.environ)
        except ConfigError as error:
            print(error, file=sys.stderr)
            exit_code = error.exit_code
        else:
            print(f"{path}: ok")
    return exit_code


def _config_echo(arguments: argparse.Namespace) -> int:
    import yaml

    print(yaml.safe_dump(configfile.redact(_load(arguments)), sort_keys=False), end="")
    return 0


def _config_schema(_: argparse.Namespace) -> int:
    from streamae.config import reference

    print(json.dumps(reference.schema(), indent=2))
    return 0


def _config_reference(_: argparse.Namespace) -> int:
    from streamae.config import reference

    print(reference.table(), end="")
    return 0


def _config_init(_: argparse.Namespace) -> int:
    from streamae.config import reference

    print(reference.template(), end="")
    return 0


def _topics(arguments: argparse.Namespace) -> int:
    config = _load(arguments)
    if config.source.kind != "kafka":
        raise ConfigError("source.kind: only `kafka` has topics")
    from streamae import kafka

    if arguments.create:
        for name in kafka.create_topics(config):
            print(f"{name}: created")
        return 0
    for topic in kafka.required_topics(config):
        settings = "".join(f" {name}={value}" for name, value in topic.configs.items())
        print(f"{topic.name}: {topic.purpose}{settings and ';'}{settings}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    config = _load(arguments)
    from streamae.evaluate import evaluate

    report = evaluate(arguments.data, config, arguments.rows, arguments.label)
    print(json.dumps(report.to_dict()) if arguments.json else report.render())
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from streamae import demo

    return demo.run(arguments.feed, arguments.directory)


def _version(arguments: argparse.Namespace) -> int:
    versions = {"streamae": streamae.__version__, "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in _LIBRARIES}
    versions["platform"] = platform.platform()
    if arguments.json:
        print(json.dumps(versions))
    else:
        print("".join(f"{name} {version}\n" for name, version in versions.items()), end="")
    return 0


def _load(arguments: argparse.Namespace) -> Config:
    return configfile.load(arguments.config, arguments.overrides, os.environ)


def _stop_on_signal(stop: Callable[[], None]) -> None:
    """Let the first signal stop in order and the second end the process at once."""

    def abort(signum: int, _: FrameType | None) -> None:
        os._exit(128 + signum)

    def stop_once(_: int, __: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, abort)
        stop()

    for each in _SIGNALS:
        signal.signal(each, stop_once)


def _secrets(config: Config) -> list[str]:
    """Return what no log line may hold; a file that cannot be read is reported by its user."""
    values = [getattr(config.kafka, name) for name in config.kafka.__struct_fields__]
    secrets: list[str] = [value for value in values if isinstance(value, Secret)]
    if config.kafka.sasl_password_file:
        with suppress(OSError, UnicodeDecodeError):
            secrets.append(Path(config.kafka.sasl_password_file).read_text("utf-8").strip())
    return secrets


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamae", description=streamae.__doc__)
    parser.add_argument("--version", action="version", version=f"streamae {streamae.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    configured = _configured()
    run = verbs.add_parser("run", parents=[configured], help="score a stream, alert, repeat")
    run.set_defaults(verb=_run)
    _add_lint(verbs.add_parser("lint", help="say everything that is wrong with files"))
    _add_config(verbs.add_parser("config", help="show the configuration and its keys"), configured)
    topics = verbs.add_parser("topics", parents=[configured], help="print the topics needed")
    topics.add_argument("--create", action="store_true", help="create those that are missing")
    topics.set_defaults(verb=_topics)
    _add_evaluate(verbs.add_parser("evaluate", parents=[configured], help="score labelled data"))
    _add_demo(verbs.add_parser("demo", help="watch real data being scored, without Kafka"))
    version = verbs.add_parser("version", help="print versions")
    version.add_argument("--json", action="store_true", help="as one JSON object")
    version.set_defaults(verb=_version)
    return parser


def _configured() -> argparse.ArgumentParser:
    """Return the options of every verb that works from a configuration."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="default: all defaults")
    _add_overrides(parser)
    return parser


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override a key, as in --set source.kind=kafka; may be repeated",
    )


def _add_lint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument(
        "-c", "--config", action="append", default=[], type=Path, metavar="FILE", help="one more"
    )
    _add_overrides(parser)
    parser.set_defaults(verb=_lint, refuse=parser.error)


def _add_config(parser: argparse.ArgumentParser, configured: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="WHAT")
    echo = verbs.add_parser("echo", parents=[configured], help="what a run would use, redacted")
    echo.set_defaults(verb=_config_echo)
    answers = {
        "init": (_config_init, "a commented file of all defaults"),
        "schema": (_config_schema, "the JSON Schema of the file, for editors"),
        "reference": (_config_reference, "every key as a Markdown table"),
    }
    for name, (verb, text) in answers.items():
        verbs.add_parser(name, help=text).set_defaults(verb=verb)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DATA", help=".npz with X and y, or CSV")
    parser.add_argument("--rows", type=_positive, metavar="N", help="the first N rows only")
    parser.add_argument("--label", metavar="COLUMN", help="the label column of a CSV file")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(verb=_evaluate)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--feed", choices=["shuttle", "host"], default="shuttle")
    parser.add_argument("--directory", type=Path, help="where to write; default: a new one")
    parser.set_defaults(verb=_demo)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return int(text)
