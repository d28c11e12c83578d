import pytest

from streamae.config.settings import Reader, Setting, interpolate

ENVIRON = {"A": "1", "EMPTY": "", "REFERENCE": "${A}", "X.Y": "dotted"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "1"),
        ("${A}${A:2}", "11"),
        ("${B:2}", "2"),
        ("${B:}", ""),
        ("${B:http://x:1}", "http://x:1"),
        ("${EMPTY:2}", ""),
        ("${X.Y}", "dotted"),
        ("${{A}}", "${A}"),
        ("${{A:2}}", "${A:2}"),
        ("$A $ {A} }", "$A $ {A} }"),
        ("${REFERENCE}", "${A}"),
    ],
)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, ENVIRON) == expected


@pytest.mark.parametrize("text", ["${B}", "${}", "${a b}", "${:2}"])
def test_interpolate_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="variable"):
        interpolate(text, ENVIRON)


def entries(reader: Reader) -> list[tuple[str, str, object]]:
    return [
        (entry.place, entry.path, entry.value if isinstance(entry, Setting) else entry.message)
        for entry in reader.entries
    ]


def test_yaml_keeps_text_and_lines() -> None:
    reader = Reader({"", "a"}, ENVIRON)
    reader.read_yaml("x: 010\na:\n  y: [no, '']\n  z: {p: ~}\n", "f")
    assert entries(reader) == [
        ("f:1", "x", "010"),
        ("f:3", "a.y", ["no", ""]),
        ("f:4", "a.z", {"p": None}),
    ]


def test_yaml_duplicates_inside_a_value() -> None:
    reader = Reader({""}, {})
    reader.read_yaml("x: {p: 1, p: 2}", "f")
    assert entries(reader) == [("f:1", "x", "a name is given twice")]


@pytest.mark.slow
def test_yaml_nested_too_deeply() -> None:
    reader = Reader({""}, {})
    reader.read_yaml("x: " + "[" * 1000 + "]" * 1000, "f")
    assert entries(reader) == [("f", "", "nested too deeply")]


def test_environment_takes_only_what_is_meant() -> None:
    environ = {
        "STREAMAE_KAFKA__GROUP": "${A}, [x",
        "STREAMAE_NAME": "n",
        "STREAMAE_HTTP__PORT": "",
        "STREAMAE_PORT": "tcp://10.0.0.1:9109",
        "STREAMAE_SERVICE_HOST": "10.0.0.1",
        "KAFKA__GROUP": "other",
    }
    reader = Reader({"", "kafka"}, environ)
    reader.read_environment({"name", "kafka.group", "http.port"})
    assert entries(reader) == [
        ("$STREAMAE_HTTP__PORT", "http.port", None),
        ("$STREAMAE_KAFKA__GROUP", "kafka.group", "${A}, [x"),
        ("$STREAMAE_NAME", "name", "n"),
    ]


def test_overrides_are_yaml() -> None:
    reader = Reader({"", "a"}, ENVIRON)
    reader.read_overrides(['a.x=[1, "${A}"]', "a={y: 2}", "a.z=", "b", "=c", "a.w=[", "a.v=x=y"])
    reader.read_overrides(["a.u=-"])
    assert entries(reader) == [
        ("--set", "a.x", ["1", "1"]),
        ("--set", "a.y", "2"),
        ("--set", "a.z", None),
        ("--set", "", "expected KEY=VALUE, got 'b'"),
        ("--set", "", "expected KEY=VALUE, got '=c'"),
        (
            "--set",
            "a.w",
            "not YAML: while parsing a flow node, expected the node content,"
            " but found '<stream end>'",
        ),
        ("--set", "a.v", "x=y"),
        ("--set", "a.u", "-"),
    ]
