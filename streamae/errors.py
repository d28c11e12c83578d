"""The exceptions of streamae and the exit code each one ends the process with.

    StreamaeError                1   a verb found what it looks for, or found nothing to work on
    ├── ConfigError             78   the configuration, or a file it names, cannot be used
    │   └── SnapshotError       78   saved state that does not fit the configuration or is damaged
    ├── DeadLetterLimitError    65   more records were rejected than the operator allows
    ├── UnreachableError        69   no broker answered within the deadline
    ├── StorageError            74   a local file or directory cannot be read or written
    ├── TemporaryError          75   fenced, hung or interrupted: a restart continues
    └── AuthenticationError     77   the broker refused the credentials or the permission

A rejected record is not an exception that travels: it becomes a dead letter (see `decode`).
What no one foresaw is 70, with a traceback (see `cli`).
The codes follow sysexits.h, so supervisors can tell "do not restart" (77, 78) from "restart" (75).
"""

from typing import ClassVar


class StreamaeError(Exception):
    """Base of every error streamae raises on purpose."""

    exit_code: ClassVar[int] = 1


def why(error: OSError) -> str:
    """Return what the system says, without number and path: messages name the path themselves."""
    return error.strerror or str(error)


class ConfigError(StreamaeError):
    """The configuration cannot be used; the message names the key and, where known, the line."""

    exit_code = 78


class SnapshotError(ConfigError):
    """Saved state does not fit this configuration, or is damaged; the message says what to do."""


class DeadLetterLimitError(StreamaeError):
    """More records were rejected than `dead_letters` allows."""

    exit_code = 65


class UnreachableError(StreamaeError):
    """No broker answered within the deadline."""

    exit_code = 69


class StorageError(StreamaeError):
    """A local file or directory cannot be read or written."""

    exit_code = 74


class TemporaryError(StreamaeError):
    """The process cannot go on, but a restarted one continues from the last commit."""

    exit_code = 75


class AuthenticationError(StreamaeError):
    """The broker refused the credentials, the certificate or the permission."""

    exit_code = 77
