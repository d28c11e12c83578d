"""`python -m tests.regenerate`: write again what is generated from the code."""

import json
import re
from pathlib import Path

from streamae import metrics, records
from streamae.cases import file as casefile
from streamae.config import reference

ROOT = Path(__file__).parent.parent


def generated() -> dict[Path, str]:
    """Return every generated file with what it must hold."""
    schemas = {
        ROOT / "streamae/schemas" / name: json.dumps(schema, indent=2) + "\n"
        for name, schema in records.schemas().items()
    }
    readme = (ROOT / "README.md").read_text()
    readme = between(readme, "config", reference.table())
    readme = between(readme, "models", reference.models())
    chart = ROOT / "deploy/helm/streamae/values.schema.json"
    values = json.loads(chart.read_text())
    values["properties"]["config"] = reference.schema()
    return {
        **schemas,
        chart: json.dumps(values, indent=2) + "\n",
        ROOT / "config/streamae.yaml": reference.template(),
        ROOT / "config/streamae.schema.json": json.dumps(reference.schema(), indent=2) + "\n",
        ROOT / "config/streamae.tests.schema.json": json.dumps(casefile.schema(), indent=2) + "\n",
        ROOT / "README.md": readme,
        ROOT / "deploy/metrics.md": metrics.reference(),
    }


def between(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of that name, which must be there."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    replaced, n = pattern.subn(lambda _: f"{begin}\n{content.rstrip()}\n\n{end}", text)
    if n != 1:
        raise ValueError(f"README.md has no {begin}")
    return replaced


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content)
