"""`python -m tests.regenerate`: write again what is generated from the code."""

import json
from pathlib import Path

from streamae import metrics
from streamae.cases import file as casefile
from streamae.config import reference
from tests.schemas import schemas

ROOT = Path(__file__).parent.parent


def generated() -> dict[Path, str]:
    """Return every generated file with what it must hold."""
    shipped = {
        ROOT / "streamae/schemas" / name: json.dumps(schema, indent=2) + "\n"
        for name, schema in schemas().items()
    }
    chart = ROOT / "deploy/helm/streamae/values.schema.json"
    values = json.loads(chart.read_text())
    values["properties"]["config"] = reference.schema()
    return {
        **shipped,
        chart: json.dumps(values, indent=2) + "\n",
        ROOT / "config/streamae.yaml": reference.template(),
        ROOT / "config/streamae.schema.json": json.dumps(reference.schema(), indent=2) + "\n",
        ROOT / "config/streamae.tests.schema.json": json.dumps(casefile.schema(), indent=2) + "\n",
        ROOT / "config/README.md": reference.document(),
        ROOT / "config/tests/README.md": casefile.document(),
        ROOT / "deploy/metrics.md": metrics.reference(),
    }


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content)
