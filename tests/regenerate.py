"""`python -m tests.regenerate`: write again what is generated from the code."""

import json
from pathlib import Path

from streamae import records, reference

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- config -->\n", "<!-- /config -->\n"


def generated() -> dict[Path, str]:
    """Return every generated file with what it must hold."""
    readme = (ROOT / "README.md").read_text()
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    schemas = {
        ROOT / "streamae/schemas" / name: json.dumps(schema, indent=2) + "\n"
        for name, schema in records.schemas().items()
    }
    return {
        **schemas,
        ROOT / "config/streamae.yaml": reference.template(),
        ROOT / "config/streamae.schema.json": json.dumps(reference.schema(), indent=2) + "\n",
        ROOT / "README.md": f"{head}{begin}\n{reference.table()}\n{end}{tail}",
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
