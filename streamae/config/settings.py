"""Where configuration values come from: a YAML file, the environment, `--set`.

Scalars stay text until their key says what they are, so `no`, `010` and `1e-3` mean what they look
like and an environment variable is read exactly as the same text in the file. Only an unquoted
empty scalar, `~` or `null` is null.

`${VAR}` and `${VAR:default}` are replaced in scalar values after parsing, so no value of a variable
can become YAML; `${VAR:}` is empty, and `${{VAR}}` is the literal text `${VAR}`.
"""

import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from streamae.config.keys import join, pattern

Value = str | None | list["Value"] | dict[str, "Value"]

_REFERENCE: Final = re.compile(r"\$\{\{([^{}]*)\}\}|\$\{([^{}:]*)(?::([^{}]*))?\}")
_VARIABLE: Final = re.compile(r"[A-Za-z0-9_.]+")
_NULLS: Final = {"", "~", "null", "Null", "NULL"}
_PREFIX: Final = "STREAMAE_"
_PLAIN_TAGS: Final = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Setting:
    """A value given for a key, not yet checked against it."""

    place: str
    """Where it was given: `FILE:LINE`, `$VARIABLE` or `--set`."""
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the operator has to change."""

    place: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.path, self.message) if part)


class Reader:
    """Collects the settings, and a finding for each that could not be read, in the order given."""

    def __init__(self, sections: Collection[str], environ: Mapping[str, str]) -> None:
        self.entries: list[Setting | Finding] = []
        self.places: dict[str, str] = {}
        """Where each key and each section was given last."""
        self._sections = sections
        self._environ = environ

    def read_yaml(self, text: str, file: str) -> None:
        """Take every key of a YAML document; `file` is its name in places."""
        for node in self._compose(text, "", file):
            self._take(node, "", f"{file}:1", file)

    def read_environment(self, keys: Container[str]) -> None:
        """Take `STREAMAE_SECTION__KEY` variables, and `STREAMAE_KEY` where such a key exists.

        Other variables may carry the prefix without being meant: Kubernetes sets
        `STREAMAE_PORT` in every pod beside a service of that name.
        """
        for variable, text in sorted(self._environ.items()):
            path = variable.removeprefix(_PREFIX).lower().replace("__", ".")
            if variable.startswith(_PREFIX) and ("." in path or path in keys):
                value = None if text in _NULLS else text
                self.places[path] = f"${variable}"
                self.entries.append(Setting(f"${variable}", path, value))

    def read_overrides(self, overrides: Sequence[str]) -> None:
        """Take `section.key=VALUE` arguments; the value is YAML, an empty one null.

        A `-`, which names standard input and output, would be a list of nothing there.
        """
        for override in overrides:
            path, equals, text = override.partition("=")
            if not (path.strip() and equals):
                self._find("--set", "", f"expected KEY=VALUE, got '{override}'")
                continue
            for node in self._compose('"-"' if text == "-" else text or "null", path, None):
                self._take(node, path, "--set", None)

    def _compose(self, text: str, path: str, file: str | None) -> Iterator[yaml.Node]:
        """Yield the document's root, if it has one and is YAML."""
        place = file or "--set"
        try:
            _refuse_aliases(text)
            node = yaml.compose(text, yaml.BaseLoader)
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if file and error.problem_mark else ""
            self._find(f"{place}{line}", path, f"not YAML: {_problem(error, text)}")
        except yaml.YAMLError as error:
            self._find(place, path, f"not YAML: {' '.join(str(error).split())}")
        except RecursionError:
            self._find(place, path, "nested too deeply")
        else:
            yield from [node] if node is not None else []

    def _take(self, node: yaml.Node, path: str, place: str, file: str | None) -> None:
        """Take the value of a key, or of every key of a section or of a list of sections."""
        self.places[path] = place
        key = pattern(path)
        if key in self._sections and isinstance(node, yaml.MappingNode):
            self._take_section(node, path, place, file)
            return
        if f"{key}[]" in self._sections and isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                here = f"{file}:{child.start_mark.line + 1}" if file else place
                self._take(child, f"{path}[{index}]", here, file)
            return
        try:
            value = _value(node, self._environ)
        except ValueError as error:
            self._find(place, path, str(error))
            return
        if value is not None or not {key, f"{key}[]"} & set(self._sections):
            self.entries.append(Setting(place, path, value))

    def _take_section(
        self, node: yaml.MappingNode, path: str, place: str, file: str | None
    ) -> None:
        first: dict[str, str] = {}
        for key, child in node.value:
            here = f"{file}:{key.start_mark.line + 1}" if file else place
            if not isinstance(key, yaml.ScalarNode):
                self._find(here, path, "a key must be a name")
            elif key.value in first:
                self._find(here, join(path, key.value), f"given twice, first at {first[key.value]}")
            else:
                first[key.value] = here
                self._take(child, join(path, key.value), here, file)

    def _find(self, place: str, path: str, message: str) -> None:
        self.entries.append(Finding(place, path, message))


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """Replace the variables in `text`; raise ValueError for one without value or default."""

    def replace(match: re.Match[str]) -> str:
        literal, variable, default = match.groups()
        if literal is not None:
            return f"${{{literal}}}"
        if not _VARIABLE.fullmatch(variable):
            raise ValueError(f"{match[0]} is no variable; ${{{{...}}}} writes it literally")
        value = environ.get(variable, default)
        if value is None:
            raise ValueError(f"the variable {variable} is not set and has no default")
        return value

    return _REFERENCE.sub(replace, text)


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return what the parser says, and what to do about a variable in a list or mapping."""
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark
    before = text[: mark.index + 1] if mark else ""
    if before.endswith("${") and "flow" in problem:
        return f'{problem}; within [] and {{}} quote what holds a variable, as in "${{VAR}}"'
    return problem


def _refuse_aliases(text: str) -> None:
    # Some hundred bytes of aliases can stand for gigabytes, or for themselves.
    for event in yaml.parse(text, yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            mark = event.start_mark
            raise yaml.MarkedYAMLError(problem="aliases are not supported", problem_mark=mark)  # type: ignore[arg-type]  # Stubs.


def _value(node: yaml.Node, environ: Mapping[str, str]) -> Value:
    if node.tag not in _PLAIN_TAGS:
        raise ValueError(f"the tag {node.tag} is not supported")
    if isinstance(node, yaml.ScalarNode):
        text = interpolate(node.value, environ)
        return None if node.style is None and text in _NULLS else text
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, environ) for child in node.value]
    names = [str(key.value) for key, _ in node.value]
    if len(set(names)) < len(names):
        raise ValueError("a name is given twice")
    return {str(key.value): _value(child, environ) for key, child in node.value}
