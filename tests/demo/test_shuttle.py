import json
from pathlib import Path

import pytest
from river import datasets

from streamae.demo import shuttle


@pytest.mark.slow
def test_write(tmp_path: Path) -> None:
    path = tmp_path / "shuttle.jsonl"
    labels = shuttle.write(path)
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len(records) == len(labels) == 49_097
    assert labels.sum() == 3511
    for record, (features, label), truth in zip(records, datasets.Shuttle(), labels, strict=True):
        assert {name: record.pop(name) for name in features} == features
        assert record.keys() == {"craft", "time"}
        assert truth == (label == 1)
    assert json.loads(path.read_bytes().splitlines()[1])["time"] == 1_767_225_601_000
