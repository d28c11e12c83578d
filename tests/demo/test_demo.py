import json
import re
from pathlib import Path

import numpy as np
import pytest
from river import datasets

from streamae import app, demo
from streamae.config import file as configfile
from streamae.errors import ConfigError, StorageError
from streamae.evaluate import judge
from streamae.numerics.ranking import roc_auc


@pytest.mark.slow
def test_shuttle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "new" / "demo"
    assert demo.run("shuttle", directory) == 0
    text = capsys.readouterr().out
    pairs = list(datasets.Shuttle())
    x = np.array([list(features.values()) for features, _ in pairs], np.float32)
    anomalous = np.array([label == 1 for _, label in pairs])
    config = configfile.load(directory / "demo.yaml", (), {})
    expected = judge(x, config, "shuttle/0").score

    lines = (directory / "scores.jsonl").read_bytes().splitlines()
    scores = [json.loads(line)["score"] for line in lines]
    written = np.array([np.nan if score is None else score for score in scores])
    np.testing.assert_allclose(written, expected, rtol=1e-6)

    auc = roc_auc(expected[512:], anomalous[512:])
    assert auc is not None
    assert auc >= 0.98
    assert f"{auc:.3f} after the first 512 records" in text

    alerts = [json.loads(line) for line in (directory / "alerts.jsonl").read_bytes().splitlines()]
    opened = [alert for alert in alerts if alert["type"] == "anomaly"]
    assert f"alerts       {len(opened):,}, one per episode" in text
    told = re.findall(r"record ([\d,]+) of shuttle.* labelled (clean|an anomaly)", text)
    assert told == [
        (f"{offset + 1:,}", "an anomaly" if anomalous[offset] else "clean")
        for offset in (alert["source"]["offset"] for alert in opened[:5])
    ]
    assert re.search(r"f\d was .*, expected .* of the anomaly\)", text)
    assert not (directory / "dead-letters.jsonl").read_bytes()

    before = {path: path.read_bytes() for path in directory.glob("*.jsonl")}
    app.build(configfile.load(directory / "demo.yaml", ("http.port=0",), {})).run()
    assert {path: path.read_bytes() for path in directory.glob("*.jsonl")} == before


def test_directory_in_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        demo.run("shuttle", tmp_path)
    with pytest.raises(StorageError, match="cannot write to"):
        demo.run("host", tmp_path / "file")
