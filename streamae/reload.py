"""The configuration, read again while the daemon runs.

Any thread may ask, a signal handler too; the loop answers between two turns, when nothing is half
done. A configuration that cannot be used, or not without a restart, changes nothing.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec

from streamae.config import Config
from streamae.config.file import redact
from streamae.config.keys import Key, changed, keys
from streamae.errors import ConfigError
from streamae.log import Logger, set_level
from streamae.metrics import Metrics

log = Logger(__name__)

_TAKES = {
    "restart": "takes a restart",
    "new model": "takes a new model: another `name` and state directory, and a restart",
}


class Reloader:
    """Holds the configuration in force and replaces it on request."""

    def __init__(self, config: Config, load: Callable[[], Config], metrics: Metrics) -> None:
        """`load` reads what is there now; it raises `ConfigError` for what cannot be used."""
        self.config = config
        self._load = load
        self._metrics = metrics
        self._asked: deque[Future[list[str]]] = deque()

    @property
    def asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._asked)

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
            _refuse(redact(self.config), redact(config), other)
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

    Nobody is shown a secret, so another one is not noticed.
    """
    shown = redact(config)
    _refuse(running, shown, [k for k in keys().values() if _at(running, k) != _at(shown, k)])


def _refuse(before: Mapping[str, Any], after: Mapping[str, Any], other: Iterable[Key]) -> None:
    """Raise `ConfigError` naming every key whose new value a reload cannot bring into force."""
    lines = []
    for key in other:
        if key.change != "live":
            was, now = _in_words(_at(before, key)), _in_words(_at(after, key))
            values = "another value" if key.is_secret else f"{now} instead of {was}"
            lines.append(f"{key.path}: {values} {_TAKES[key.change]}")
    if lines:
        raise ConfigError("\n".join(lines))


def _at(shown: Mapping[str, Any], key: Key) -> Any:
    """Return the value of a key; None for one that a daemon of another version does not have."""
    value: Any = shown
    for name in key.path.split("."):
        value = (value or {}).get(name)
    return value


def _in_words(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
