"""For every width, light, pointer and pair of eyes."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from streamae.types import TopicPartition
from tests.alerts import alert, drift, recovered
from tests.page.feed import A, B, Feed

pytestmark = pytest.mark.slow


def busy(feed: Feed) -> None:
    """Report something for every part of the page."""
    feed.watched(A, B)
    for step in range(5):
        feed.score(A, [1.0, 2.0, 30.0], 10.0)
        feed.metrics.polled(0.0, {A: 10 * step})
        feed.status.turned()
        feed.now += 5.0
    codes = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    feed.status.coded(A, codes, np.zeros(20, bool))
    feed.metrics.offsets_lost(B, 3)
    feed.metrics.nonfinite(A, "score")
    feed.metrics.invalid(A, "empty")
    feed.metrics.episodes(A, 1)
    feed.status.alerted([alert(1), recovered(1), drift(2), alert(3, severity="warning")])
    feed.status.alerted([alert(4, feature="a_rather_long_feature_name" * 3)])


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_no_width_scrolls_sideways(feed: Feed, page: Page, width: int) -> None:
    busy(feed)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(feed.server.url)
    expect(page.locator("#alerts > li")).to_have_count(4)
    for summary in page.locator("#alerts summary").all()[1:]:
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    parts = page.locator("#alerts summary > *").evaluate_all(OVERLAPS)
    assert parts == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(feed: Feed, page: Page, scheme: Any) -> None:
    busy(feed)
    page.emulate_media(color_scheme=scheme)
    page.goto(feed.server.url)
    expect(page.locator("#alerts > li")).to_have_count(4)
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 100
    # WCAG 2.2, success criterion 1.4.3 (level AA).
    assert {what: ratio for what, ratio in ratios if ratio < 4.5} == {}


def test_everything_is_reached_by_tab_and_seen_to_be(feed: Feed, page: Page) -> None:
    busy(feed)
    page.goto(feed.server.url)
    expect(page.locator("#alerts > li")).to_have_count(4)
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        tag, name, outline = page.evaluate(
            "() => { const at = document.activeElement; return"
            " [at.tagName, at.id || at.textContent, getComputedStyle(at).outlineStyle]; }"
        )
        if tag == "BODY":
            break
        assert outline == "solid", name
        reached.append(name)
    order = [reached.index(name) for name in ("shown", "score", "throughput", "lag")]
    order += [reached.index(name) for name in ("partitions-scroll", "Partition", "in-1", "metrics")]
    assert order == sorted(order)
    assert sum("sensor-4" in name for name in reached) == 3


def test_every_part_has_a_name(feed: Feed, page: Page) -> None:
    busy(feed)
    page.goto(feed.server.url)
    expect(page.locator("#alerts > li")).to_have_count(4)
    tree = page.locator("body").aria_snapshot()
    for part in (
        'heading "pump-7" [level=1]',
        "status: ",
        'region "Can it be trusted?"',
        'slider "Anomaly scores of records',
        'list "Alerts"',
        'columnheader "Partition"',
        'img "Codes of ',
        'navigation "Also here"',
    ):
        assert part in tree, part


def test_partitions_are_sorted_and_fold(feed: Feed, page: Page) -> None:
    many = [TopicPartition("in", at) for at in range(40)]
    feed.watched(*many)
    feed.metrics.polled(0.1, {partition: partition.partition % 7 for partition in many})
    page.goto(feed.server.url)
    rows = page.locator("#partitions tbody tr")
    expect(rows).to_have_count(12)
    expect(rows.first).to_contain_text("in-0")
    page.get_by_role("button", name="Waiting", exact=True).click()
    header = page.get_by_role("columnheader", name="Waiting")
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(rows.first.locator("td").nth(2)).to_have_text("6")
    page.keyboard.press("Enter")
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(rows.first.locator("td").nth(2)).to_have_text("0")
    page.get_by_role("button", name="Show all 40").click()
    expect(rows).to_have_count(40)


OVERLAPS = """(parts) => {
  const found = [];
  for (const one of parts) for (const other of one.parentElement.children) {
    if (other === one) continue;
    const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1) found.push([one.textContent, other.textContent]);
  }
  return found;
}"""

CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (at) => {
    for (; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement;
    const shown = at.checkVisibility() && !at.closest("script, svg");
    if (!walker.currentNode.data.trim() || !shown) continue;
    const pair = [channels(getComputedStyle(at).color), behind(at)].map(luminance);
    found.push([walker.currentNode.data, (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)]);
  }
  return found;
}"""
