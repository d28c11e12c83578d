"""Keys and event times of labelled streams, which transforms read."""

from pathlib import Path

import numpy as np
import pytest

from streamae import Detector
from streamae.config import Config, DetectorConfig, RecordConfig
from streamae.errors import ConfigError
from streamae.evaluate import evaluate
from streamae.numerics.ranking import roc_auc
from tests.transforms.streams import walks


def test_keys_and_event_times_beside_the_features(tmp_path: Path) -> None:
    """What the daemon reads from the fields of a record, `evaluate` reads from columns."""
    x, keys, anomalous = walks(3000)
    names = [key.decode() for key in keys]
    times = np.arange(3000) * 1000
    np.savez(tmp_path / "walks.npz", X=x, y=anomalous, device=names, at=times)
    lines = [
        f"{device},{at},{','.join(map(str, row))},{int(label)}"
        for device, at, row, label in zip(names, times.tolist(), x.tolist(), anomalous, strict=True)
    ]
    text = "\n".join(["device,at,p,q,r,label", *lines, "device-0,never,1,1,1,0", ",5,1,1,1,0"])
    (tmp_path / "walks.csv").write_text(text)
    chosen = Config(
        record=RecordConfig(key_field="device", timestamp_field="at"),
        detector=DetectorConfig(lag=1, calendar=True, device="cpu"),
    )
    verdicts = Detector(topic="walks", lag=1, calendar=True, device="cpu").score_learn(
        x, times, keys
    )
    expected = roc_auc(verdicts.score[512:], anomalous[512:])
    assert evaluate(tmp_path / "walks.npz", chosen).roc_auc == expected
    report = evaluate(tmp_path / "walks.csv", chosen, label="label")
    assert (report.roc_auc, report.features, report.rejected) == (expected, 3, 2)


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_a_key_field_that_is_not_there(tmp_path: Path, ending: str) -> None:
    (tmp_path / "s.csv").write_text("device,a,label\nx,1,0\n")
    np.savez(tmp_path / "s.npz", X=np.zeros((2, 1)), y=np.zeros(2), device=np.zeros(3))
    label = "label" if ending == "csv" else None
    for field in ("devise", "device") if ending == "npz" else ("devise",):
        chosen = Config(record=RecordConfig(key_field=field))
        with pytest.raises(ConfigError, match=field):
            evaluate(tmp_path / f"s.{ending}", chosen, label=label)
