"""The comparison with other detectors compares like with like."""

from xml.etree import ElementTree

import numpy as np
import pytest

from streamae.labelled import LabelledStream
from streamae.types import Floats
from tests import checks
from tests.benchmarks import peers, plot
from tests.benchmarks.peer_scorers import PEERS
from tests.benchmarks.streams import DRAWN, shipped


def labelled(n: int = 900) -> LabelledStream:
    x = checks.stream(n)
    anomalous = np.arange(n) % 45 == 0
    x[anomalous] *= 6
    x[3::50, 2] = np.nan
    return LabelledStream(x, anomalous, tuple("abcdef"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.package is None])
def test_a_peer_scores_a_row_before_it_learns_it(name: str) -> None:
    x = labelled().x
    other = x.copy()
    other[600:] += 100.0
    first, second = (PEERS[name].scorer(rows) for rows in (x, other))
    np.testing.assert_array_equal(first[:600], second[:600])
    assert not np.array_equal(first[600:], second[600:])


def test_streamae_is_judged_by_the_rows_of_the_peer() -> None:
    stream = labelled()
    x: Floats = stream.x
    ours = peers.Run(np.nan_to_num(PEERS["streamae"].scorer(x).astype(float)), 1.0, 0)
    short = peers.Run(ours.scores[:800], 1.0, 0)
    (figures,) = peers._figures({"a": stream}, {"a": short}, {"a": ours})
    assert figures[:2] == figures[2:]
    clean = stream._replace(anomalous=np.zeros(900, bool))
    assert list(peers._figures({"a": clean}, {"a": short}, {"a": ours})) == []


@pytest.mark.slow
def test_shipped_streams_are_the_same_every_time() -> None:
    first, second = dict(shipped()), dict(shipped())
    assert list(first) == ["shuttle (river)", "breast_cancer", "digits"]
    for name, stream in first.items():
        assert stream.x.tobytes() == second[name].x.tobytes()
        assert 0.01 < stream.anomalous.mean() < 0.1
    assert first["digits"].x.shape == (DRAWN, 64)


def test_plot() -> None:
    pairs = [plot.Pair("a <b>", "note", (0.5, 0.1), (0.75, 0.4))]
    root = ElementTree.fromstring(plot.dumbbells(pairs))  # noqa: S314 - drawn above.
    places = [float(c.attrib["cx"]) for c in root.findall(".//{*}circle") if c.attrib["cy"] != "21"]
    assert len(places) == 4
    assert places[0] < places[1]
    assert places[2] < places[3]
