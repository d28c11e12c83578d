"""The command line: finds the verb, runs it, and turns its errors into exit codes.

Exit codes are those of `errors`; a wrong command line is 2, as argparse has it.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence

import streamae
from streamae.errors import StreamaeError
from streamae.verbs import (
    checkpoint,
    config,
    demo,
    dlq,
    dry_run,
    evaluate,
    explain,
    lint,
    replay,
    run,
    test,
    topics,
    version,
)

_VERBS = (
    run,
    lint,
    test,
    dry_run,
    replay,
    explain,
    config,
    topics,
    checkpoint,
    dlq,
    evaluate,
    demo,
    version,
)
_INTERRUPTED = 128 + signal.SIGINT


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamae", description=streamae.__doc__)
    parser.add_argument("--version", action="version", version=f"streamae {streamae.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in _VERBS:
        verb.add(verbs)
    return parser
