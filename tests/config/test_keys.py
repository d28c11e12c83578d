import pytest

from streamae.config import Config
from streamae.config.keys import keys, lookup, sections


def test_every_key_explains_itself() -> None:
    for key in keys().values():
        assert key.about.endswith("."), key.path
        assert key.expected, key.path


def test_defaults_are_those_of_the_structs() -> None:
    config = Config()
    assert {path: key.default for path, key in keys().items()} == {
        path: lookup(config, path) for path in keys()
    }


def test_paths() -> None:
    assert list(keys())[:2] == ["name", "source.kind"]
    assert sections()[""] is Config
    assert set(sections()) - {""} == {path.rpartition(".")[0] for path in keys()} - {""}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("source.kind", "one of file, kafka, host"),
        ("source.topics", "a list of text"),
        ("source.topic", "text or null"),
        ("record.features", "a list of text or auto"),
        ("record.max_bytes", "a size such as 64KiB"),
        ("http.enabled", "true or false"),
        ("http.port", "a whole number from 0 to 65535"),
        ("state.keep", "a whole number of at least 2"),
        ("dead_letters.max_share", "a number of more than 0 and at most 1 or null"),
        ("commit.interval", "a duration such as 5s"),
        ("kafka.sasl_password", "text or null"),
    ],
)
def test_expected(path: str, expected: str) -> None:
    assert keys()[path].expected == expected


def test_secrets() -> None:
    secrets = [path for path, key in keys().items() if key.is_secret]
    assert secrets == ["kafka.sasl_password", "kafka.ssl_key_password"]
