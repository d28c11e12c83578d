"""The status page in a real browser, fed by the real server, metrics and status."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from prometheus_client import CollectorRegistry

from streamae.config import HttpConfig
from streamae.http import Server, Views
from streamae.metrics import Metrics, Status
from streamae.types import TopicPartition
from tests.alerts import alert, drift, recovered

pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")
A, B = TopicPartition("in", 0), TopicPartition("in", 1)
WILD = "<img src=x onerror=document.title='owned'>"


class Daemon:
    """What feeds the page, without a worker."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.metrics = Metrics(registry)
        self.status = Status(self.metrics)
        self.unready: list[str] = []
        views = Views(
            status=self.status.document,
            alive=lambda: True,
            unready=lambda: self.unready,
            version={"name": "pump-7", "streamae": "0.1.0", "torch": "2.4", "device": "cpu"},
            config=dict,
        )
        self.server = Server(HttpConfig(port=0), registry, views)
        self.server.start()

    def score(self, partition: TopicPartition, scores: list[float], threshold: float) -> None:
        n = len(scores)
        self.metrics.consumed(partition, n, 100 * n)
        times = 1_700_000_000_000 + 1000 * np.arange(n)
        self.status.scored(partition, 0, np.array(scores), times, threshold)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail("Chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        # A container's root user has no sandbox of its own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser found wrong with the page."""
    return []


@pytest.fixture
def page(browser: Browser, daemon: Daemon, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(timezone_id="UTC")
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()


def text(page: Page, id_: str) -> Locator:
    return page.locator(f"#{id_}")


def test_before_anything_is_assigned(daemon: Daemon, page: Page, complaints: list[str]) -> None:
    daemon.unready = ["no partition assigned"]
    page.goto(daemon.server.url)
    expect(text(page, "state")).to_have_text("Not ready: no partition assigned")
    expect(page).to_have_title("pump-7 · streamae")
    expect(text(page, "build")).to_contain_text("streamae 0.1.0 · torch 2.4 · cpu · up ")
    expect(text(page, "none")).to_be_visible()
    expect(text(page, "unassigned")).to_be_visible()
    expect(text(page, "observed")).to_have_text("\N{EN DASH}")
    expect(text(page, "target")).to_have_text("judged after the warm-up")
    expect(text(page, "unscored")).to_be_visible()
    expect(text(page, "chart")).to_be_hidden()
    expect(text(page, "keys")).to_be_hidden()
    assert complaints == []


def test_warm_up_then_watching(daemon: Daemon, page: Page, complaints: list[str]) -> None:
    daemon.metrics.assigned([A])
    daemon.metrics.warmup(A, 0.628)
    daemon.score(A, [math.nan, 3.0, 4.0], math.inf)
    page.goto(daemon.server.url)
    expect(text(page, "state")).to_have_text("Learning what is normal")
    expect(text(page, "warmup")).to_have_text("62 %")
    expect(text(page, "records")).to_have_text("3 records read")
    expect(text(page, "unscored")).to_be_hidden()
    expect(text(page, "chart")).to_be_visible()
    assert page.locator("#chart path.threshold").get_attribute("d") == ""
    daemon.metrics.warmup(A, 1.0)
    expect(text(page, "state")).to_have_text("Watching")
    expect(text(page, "warmup")).to_have_text("Done")
    assert complaints == []


def test_numbers(daemon: Daemon, page: Page) -> None:
    daemon.metrics.assigned([A, B])
    daemon.metrics.polled(0.1, {A: 12_000, B: 345})
    daemon.metrics.consumed(A, 2000, 1)
    daemon.metrics.invalid(B, "empty")
    daemon.metrics.judged(A, 10_000, 8)
    daemon.metrics.threshold(A, 9.25, 0.002, 0.001)
    daemon.metrics.alerts(A, "warning", 3)
    daemon.metrics.checkpoint(A, 181_234)
    page.goto(daemon.server.url)
    expect(text(page, "lag")).to_have_text("12,345")
    expect(text(page, "invalid")).to_have_text("1 record rejected")
    expect(text(page, "count")).to_have_text("3")
    expect(text(page, "observed")).to_have_text("0.08 %")
    expect(text(page, "target")).to_have_text("budget 0.1 %")
    first, second = page.locator("#partitions tbody tr").all()
    expect(first).to_contain_text(re.compile(r"in-0.*2,000.*9\.25.*0\.08 %.*\d s ago, 181 kB"))
    expect(second).to_contain_text("in-1")


def test_chart(daemon: Daemon, page: Page, complaints: list[str]) -> None:
    daemon.metrics.assigned([A, B])
    daemon.score(A, [math.nan, 2.0, 30.0, 3.0, 12.0, 2.5], 10.0)
    daemon.score(B, [1.0] * 9, 10.0)
    page.goto(daemon.server.url)
    chart = page.locator("#chart")
    expect(chart.locator("circle")).to_have_count(2)
    expect(chart).to_have_attribute(
        "aria-label",
        "Anomaly scores of records 0 to 5 of in-0; 2 peaks above the threshold",
    )
    box = chart.bounding_box()
    assert box is not None
    at = chart.locator("circle").first.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + at["width"] / 2, box["y"] + 50)
    expect(text(page, "reading")).to_have_text(
        "record 2 · 2023-11-14 22:13:22 · score 30 · threshold 10"
    )
    page.mouse.move(5, 5)
    expect(text(page, "reading")).to_have_text("records 0 to 5")
    page.get_by_role("combobox", name="Partition").select_option("in-1")
    expect(chart.locator("circle")).to_have_count(0)
    expect(text(page, "reading")).to_have_text("records 0 to 8")
    assert complaints == []


def test_codes_lie_in_a_plane(daemon: Daemon, page: Page, complaints: list[str]) -> None:
    daemon.metrics.assigned([A])
    page.goto(daemon.server.url)
    expect(text(page, "uncoded")).to_be_visible()
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(90, 12)) + 8.0 * rng.normal(size=(3, 12)).repeat(30, axis=0)
    daemon.status.coded(A, codes.astype(np.float32), np.arange(90) == 40)
    expect(page.locator("#codes circle.code")).to_have_count(89)
    expect(page.locator("#codes circle.flagged")).to_have_count(1)
    expect(text(page, "plane")).to_contain_text("two principal components: ")
    expect(text(page, "codes")).to_have_attribute(
        "aria-label", "Codes of the last 90 records of in-0; 1 flagged"
    )
    across = [float(dot.get_attribute("cx") or 0) for dot in page.locator("#codes circle").all()]
    assert 0 < min(across) < max(across) < text(page, "codes").evaluate("svg => svg.clientWidth")
    assert complaints == []


def test_alerts_are_explained(daemon: Daemon, page: Page) -> None:
    daemon.status.alerted([alert(120)])
    page.goto(daemon.server.url)
    (row,) = page.locator("#alerts tbody tr").all()
    for part in ["2023-11-14 22:13:20", "critical", "open", "sensor-4", "in-0 at 120", "33.98"]:
        expect(row).to_contain_text(part)
    expect(row.locator("li").nth(0)).to_have_text("pressure80 expected 45.261 %")
    expect(row.locator("li").nth(1)).to_have_text("flow4.00e-5 expected 03 %")
    expect(row.locator("li").nth(2)).to_have_text("not flagged without pressure")
    expect(row.locator("li").nth(3)).to_have_text("missing: valve")
    bar = row.locator(".bar").first
    width = bar.evaluate("b => b.firstChild.offsetWidth / b.offsetWidth")
    assert width == pytest.approx(0.61, abs=0.02)
    daemon.status.alerted([recovered(120), drift(300)])
    rows = page.locator("#alerts tbody tr")
    expect(rows).to_contain_text(["pressure45.2 → 52", "ended, 3 records"])


def test_an_end_without_its_beginning(daemon: Daemon, page: Page, complaints: list[str]) -> None:
    daemon.status.alerted([recovered(120)])
    page.goto(daemon.server.url)
    expect(page.locator("#alerts tbody tr")).to_contain_text("began before this page's memory")
    assert complaints == []


def test_many_alerts_fold(daemon: Daemon, page: Page) -> None:
    daemon.status.alerted(alert(offset) for offset in range(20))
    page.goto(daemon.server.url)
    rows = page.locator("#alerts tbody tr")
    expect(rows).to_have_count(8)
    page.get_by_role("button", name="Show all 20").click()
    expect(rows).to_have_count(20)
    page.get_by_role("button", name="Show fewer").click()
    expect(rows).to_have_count(8)


def test_names_are_never_html(daemon: Daemon, page: Page, complaints: list[str]) -> None:
    daemon.metrics.assigned([TopicPartition(WILD, 0)])
    daemon.status.alerted([alert(1, feature=WILD, key=WILD)])
    page.goto(daemon.server.url)
    expect(page.locator("#alerts tbody tr")).to_contain_text(WILD)
    expect(page.locator("#partitions tbody tr")).to_contain_text(WILD)
    assert page.locator("img").count() == 0
    expect(page).to_have_title("pump-7 · streamae")
    assert complaints == []


def test_connection_lost_and_found(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.server.url)
    expect(text(page, "lost")).to_be_hidden()
    page.route("**/status", lambda route: route.abort())
    expect(text(page, "lost")).to_contain_text("Connection lost at ")
    expect(text(page, "state")).to_have_text("Not reachable")
    page.unroute("**/status")
    expect(text(page, "lost")).to_be_hidden()
    expect(text(page, "state")).not_to_have_text("Not reachable")


def test_nothing_is_fetched_from_elsewhere(daemon: Daemon, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(daemon.server.url)
    expect(text(page, "build")).to_contain_text("0.1.0")
    assert f"{daemon.server.url}status" in asked
    assert [url for url in asked if not url.startswith(daemon.server.url)] == []


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_no_width_scrolls_sideways(daemon: Daemon, page: Page, width: int) -> None:
    daemon.metrics.assigned([A, B])
    daemon.score(A, [1.0, 2.0, 30.0], 10.0)
    daemon.status.alerted([alert(1, feature="a_rather_long_feature_name" * 3)])
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(daemon.server.url)
    expect(page.locator("#alerts tbody tr")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(daemon: Daemon, page: Page, scheme: Any) -> None:
    daemon.metrics.assigned([A])
    daemon.status.alerted([alert(1), alert(2, severity="warning")])
    page.emulate_media(color_scheme=scheme)
    page.goto(daemon.server.url)
    expect(page.locator("#alerts tbody tr")).to_have_count(2)
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 30
    # WCAG 2.2, success criterion 1.4.3 (level AA).
    assert {what: ratio for what, ratio in ratios if ratio < 4.5} == {}


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
