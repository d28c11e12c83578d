"""The command line: finds the verb, runs it, and turns its errors into exit codes.

Exit codes are those of `errors`; a wrong command line is 2, as argparse has it.
"""

import argparse
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import streamae
from streamae.errors import StorageError, StreamaeError, why
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
_UNEXPECTED = os.EX_SOFTWARE
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What writing to standard output ends with; files of ours name themselves."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code."""
    for name in ("stdin", "stdout", "stderr"):
        # Closed by who started us. What is opened next would be taken for it.
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r+"))  # noqa: SIM115 - stays open.
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
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            print(f"cannot write the answer: {why(error)}", file=sys.stderr)
            return StorageError.exit_code
        logging.getLogger("streamae").exception("unexpected error")
        return _UNEXPECTED
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamae", description=streamae.__doc__)
    parser.add_argument("--version", action="version", version=f"streamae {streamae.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in _VERBS:
        verb.add(verbs)
    return parser
