"""Scores, throughput, lag and codes are drawn, and can be read by pointer and keys."""

import math

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.alerts import drift
from tests.page.feed import A, B, Feed

pytestmark = pytest.mark.slow

INK = """(canvas) => {
  const { width, height } = canvas, found = new Set();
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, width, height).data;
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] === 255) found.add([data[at], data[at + 1], data[at + 2]].join());
  return [...found];
}"""
"""The opaque colours in a canvas."""

BLUE_BETWEEN = """(canvas, [from, to]) => {
  const { width, height } = canvas, left = Math.round(from * width);
  const across = Math.round(to * width) - left;
  const { data } = canvas.getContext("2d").getImageData(left, 0, across, height);
  let blue = 0;
  for (let at = 0; at < data.length; at += 4)
    blue += data[at + 3] > 16 && data[at + 2] - data[at] > 40;
  return blue;
}"""
"""How many pixels are of a line's colour or its area's, between two shares of the width."""

SCORE, LIMIT, BAD, GOOD = "37,99,235", "161,74,0", "192,38,28", "19,113,58"


@pytest.fixture
def score(page: Page) -> Locator:
    return page.locator("#score")


def ink(page: Page) -> set[str]:
    return set(page.locator("#score canvas").evaluate(INK))


def test_scores(feed: Feed, page: Page, score: Locator, complaints: list[str]) -> None:
    feed.watched(A)
    feed.score(A, [math.nan, 2.0, 30.0, 3.0, 12.0, 2.5], 10.0)
    page.goto(feed.server.url)
    expect(score).to_have_attribute(
        "aria-label", "Anomaly scores of records 0 to 5 of in-0; 2 peaks above the threshold"
    )
    assert ink(page) >= {SCORE, LIMIT, BAD}
    assert GOOD not in ink(page)
    box = score.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 46 + (box["width"] - 72) * 0.4, box["y"] + 50)
    reading = "record 2 · 2023-11-14 22:13:22 · score 30 · threshold 10"
    expect(page.locator("#score-reading")).to_have_text(reading)
    page.mouse.move(5, 5)
    expect(page.locator("#score-reading")).to_have_text("")
    assert complaints == []


def test_scores_are_read_by_keys(feed: Feed, page: Page, score: Locator) -> None:
    feed.watched(A)
    feed.score(A, [1.0, 2.0, 30.0, 3.0], 10.0)
    page.goto(feed.server.url)
    expect(score).to_have_attribute("aria-valuemax", "3")
    score.focus()
    for key, record in (("ArrowLeft", 3), ("ArrowLeft", 2), ("Home", 0), ("ArrowRight", 1)):
        page.keyboard.press(key)
        expect(page.locator("#score-reading")).to_contain_text(f"record {record} ·")
        expect(score).to_have_attribute("aria-valuenow", str(record))
    page.keyboard.press("End")
    expect(page.get_by_role("slider").first).to_have_attribute(
        "aria-valuetext", "record 3 · 2023-11-14 22:13:23 · score 3 · threshold 10"
    )
    score.blur()
    expect(page.locator("#score-reading")).to_have_text("")


def test_scores_without_times_or_threshold(feed: Feed, page: Page, score: Locator) -> None:
    feed.metrics.assigned([A])
    feed.status.scored(A, 7, np.array([np.nan, 3.0, 4.0]), np.full(3, -1), math.inf)
    page.goto(feed.server.url)
    expect(score).to_have_attribute(
        "aria-label", "Anomaly scores of records 7 to 9 of in-0; 0 peaks above the threshold"
    )
    score.focus()
    page.keyboard.press("End")
    expect(page.locator("#score-reading")).to_have_text(
        "record 9 · score 4 · threshold \N{EN DASH}"
    )
    assert not {LIMIT, BAD} & ink(page)


def test_no_line_leads_across_a_silence(feed: Feed, page: Page, score: Locator) -> None:
    feed.watched(A)
    seconds = np.concatenate([np.arange(50), 1000 + np.arange(50)])
    scores = 3.0 + np.arange(100) % 7
    feed.status.scored(A, 0, scores, 1_700_000_000_000 + seconds * 1000, threshold=math.inf)
    page.goto(feed.server.url)
    expect(score).to_have_attribute("aria-valuemax", "49")
    canvas = page.locator("#score canvas")
    assert canvas.evaluate(BLUE_BETWEEN, [0.2, 0.8]) == 0
    assert canvas.evaluate(BLUE_BETWEEN, [0.0, 0.2]) > 50
    assert canvas.evaluate(BLUE_BETWEEN, [0.8, 1.0]) > 50


def test_a_drift_is_marked(feed: Feed, page: Page, score: Locator) -> None:
    feed.watched(A)
    feed.status.scored(
        A, 1500, np.ones(100), 1_700_000_000_000 + np.arange(100) * 1000, threshold=10.0
    )
    feed.status.alerted([drift(500)])
    page.goto(feed.server.url)
    expect(page.locator("#drift-key")).to_be_visible()
    assert GOOD in ink(page)


def test_another_partition_is_drawn(feed: Feed, page: Page, score: Locator) -> None:
    feed.watched(A, B)
    feed.score(A, [1.0, 20.0, 1.0], 10.0)
    feed.score(B, [1.0] * 9, 10.0)
    page.goto(feed.server.url)
    expect(score).to_have_attribute(
        "aria-label",
        "".join(["Anomaly scores of records 0 to 2 of in-0; 1 peak above the threshold"]),
    )
    page.get_by_role("combobox", name="Partition").select_option("in-1")
    expect(score).to_have_attribute("aria-valuemax", "8")
    expect(page.locator("#model-of")).to_have_text("of in-1")
    assert page.url.endswith("#in-1")
    page.reload()
    expect(score).to_have_attribute("aria-valuemax", "8")
    expect(page.get_by_role("combobox", name="Partition")).to_have_value("in-1")
    page.get_by_role("button", name="in-0").click()
    expect(score).to_have_attribute("aria-valuemax", "2")
    expect(page.get_by_role("button", name="in-0")).to_have_attribute("aria-pressed", "true")


def test_throughput_and_lag(feed: Feed, page: Page, complaints: list[str]) -> None:
    feed.watched(A)
    for step in range(30):
        feed.metrics.consumed(A, 500, 1)
        feed.metrics.polled(0.0, {A: 10 * step})
        feed.status.turned()
        feed.now += 5.0
    page.goto(feed.server.url)
    expect(page.locator("#throughput")).to_have_attribute(
        "aria-label", "Records per second of in-0, now 100"
    )
    expect(page.locator("#lag")).to_have_attribute("aria-label", "Records of in-0 waiting, now 290")
    page.locator("#lag").focus()
    page.keyboard.press("Home")
    expect(page.locator("#throughput-reading")).to_contain_text("· 10 waiting")
    assert complaints == []


def test_codes_lie_in_a_plane(feed: Feed, page: Page, complaints: list[str]) -> None:
    feed.watched(A)
    page.goto(feed.server.url)
    expect(page.locator("#plane")).to_contain_text("No codes yet")
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(90, 12)) + 8.0 * rng.normal(size=(3, 12)).repeat(30, axis=0)
    feed.status.coded(A, codes.astype(np.float32), np.arange(90) == 40)
    expect(page.locator("#codes circle.code")).to_have_count(89)
    expect(page.locator("#codes circle.flagged")).to_have_count(1)
    expect(page.locator("#plane")).to_contain_text("in two principal components: ")
    expect(page.locator("#codes")).to_have_attribute(
        "aria-label", "Codes of the last 90 records of in-0; 1 flagged"
    )
    across = [float(dot.get_attribute("cx") or 0) for dot in page.locator("#codes circle").all()]
    width = page.locator("#codes").evaluate("svg => svg.clientWidth")
    assert 0 < min(across) < max(across) < width
    assert complaints == []


def test_other_colours_by_night(feed: Feed, page: Page, score: Locator) -> None:
    feed.watched(A)
    feed.score(A, [1.0, 2.0, 30.0, 3.0], 10.0)
    page.goto(feed.server.url)
    expect(score).to_have_attribute("aria-valuemax", "3")
    by_day = ink(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"() => !({INK})(document.querySelector('#score canvas')).includes('{BAD}')"
    )
    assert SCORE in by_day - ink(page)
