"""The configuration, read again while the daemon runs.

Any thread may ask, a signal handler too; the loop answers between two turns, when nothing is half
done. A configuration that cannot be used, or not without a restart, changes nothing.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from streamae.config import Config
from streamae.config.file import redact
from streamae.config.keys import Key, changed, keys, lookup
from streamae.errors import ConfigError
from streamae.log import Logger, set_level
from streamae.metrics import Metrics

log = Logger(__name__)

_TAKES = {
    "restart": "takes a restart",
    "new model": "takes a new model: another `name` and state directory, and a restart",
}

FILES = (
    "kafka.sasl_password_file",
    "kafka.ssl_cafile",
    "kafka.ssl_certfile",
    "kafka.ssl_keyfile",
)
"""Keys that name what connections are opened with; those that are open keep what they have."""

CHANGED_FILES = "changed_files"
"""Beside the sections of the configuration that a daemon shows: `Reloader.changed_files`."""


class Reloader:
    """Holds the configuration in force and replaces it on request."""

    def __init__(self, config: Config, load: Callable[[], Config], metrics: Metrics) -> None:
        """`load` reads what is there now; it raises `ConfigError` for what cannot be used."""
        self.config = config
        self._load = load
        self._metrics = metrics
        self._contents = _contents(config)
        self._asked: deque[Future[list[str]]] = deque()

    @property
    def asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._asked)

    @property
    def changed_files(self) -> list[str]:
        """The keys of `FILES` whose file does not hold what it held at the start."""
        now = _contents(self.config)
        return [path for path in FILES if now[path] != self._contents[path]]

    def shown(self) -> dict[str, Any]:
        """Return the configuration in force for anyone to see, and which of its files changed."""
        return {**redact(self.config), CHANGED_FILES: self.changed_files}

    def ask(self) -> Future[list[str]]:
        """Ask for a reload; the result is the keys it changed, or the error that prevented it."""
        answer: Future[list[str]] = Future()
        self._asked.append(answer)
        return answer

    def answer(self) -> Config | None:
        """Reload once for all who asked; return the configuration to go on with if it is another.

        Errors go to those who asked, to the log and to the metrics, and nowhere else.
        """
        answers = [self._asked.popleft() for _ in range(len(self._asked))]
        try:
            config = self._load()
            other = changed(self.config, config)
            _refuse(self.shown(), redact(config), other)
        except ConfigError as error:
            self._fail(answers, error)
            return None
        except Exception as error:  # A reload must not end a daemon that works.
            log.exception("unexpected error")
            self._fail(answers, error)
            return None
        self.config = config
        self._metrics.reloaded(config_hash(config))
        set_level(config.log.level)
        paths = [key.path for key in other]
        log.info("configuration reloaded", changed=paths)
        for one in answers:
            one.set_result(paths)
        return config if other else None

    def _fail(self, answers: list[Future[list[str]]], error: Exception) -> None:
        self._metrics.reloaded(None)
        log.error("reload failed, the configuration stays as it was", error=str(error))
        for one in answers:
            one.set_exception(error)


def config_hash(config: Config) -> str:
    """Return a short digest that tells configurations apart; secrets do not enter it."""
    return hashlib.blake2b(msgspec.json.encode(redact(config)), digest_size=6).hexdigest()


def compare(running: Mapping[str, Any], config: Config) -> None:
    """Raise `ConfigError` as a reload of `config` would, by what a daemon shows of its own.

    Nobody is shown a secret, so another one is noticed only in a file, by the daemon.
    """
    shown = redact(config)
    _refuse(running, shown, [k for k in keys().values() if _at(running, k) != _at(shown, k)])


def _refuse(before: Mapping[str, Any], after: Mapping[str, Any], other: Iterable[Key]) -> None:
    """Raise `ConfigError` naming every key whose new value a reload cannot bring into force.

    `before` is `Reloader.shown` of the daemon, which may be of another version.
    """
    lines = []
    for key in other:
        if key.change != "live":
            was, now = _in_words(_at(before, key)), _in_words(_at(after, key))
            values = "another value" if key.is_secret else f"{now} instead of {was}"
            lines.append(f"{key.path}: {values} {_TAKES[key.change]}")
    for path in before.get(CHANGED_FILES, ()):
        lines.append(f"{path}: the file has changed since the start, which {_TAKES['restart']}")
    if lines:
        raise ConfigError("\n".join(lines))


def _contents(config: Config) -> dict[str, bytes | None]:
    """Return a digest of what each of `FILES` holds; None where there is nothing to read."""
    contents: dict[str, bytes | None] = dict.fromkeys(FILES)
    for path in FILES:
        name = lookup(config, path)
        with suppress(OSError):
            contents[path] = name and hashlib.blake2b(Path(name).read_bytes()).digest()
    return contents


def _at(shown: Mapping[str, Any], key: Key) -> Any:
    """Return the value of a key; None for one that a daemon of another version does not have."""
    value: Any = shown
    for name in key.path.split("."):
        value = (value or {}).get(name)
    return value


def _in_words(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
