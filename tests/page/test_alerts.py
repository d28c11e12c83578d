"""What it found: alerts with their evidence, by pointer and by keys."""

import math

import pytest
from playwright.sync_api import Locator, Page, expect

from streamae.records import Attribution, Head
from streamae.types import TopicPartition
from tests.alerts import alert, drift, recovered, reloaded
from tests.page.feed import A, Feed

pytestmark = pytest.mark.slow

WILD = "<img src=x onerror=document.title='owned'>"


@pytest.fixture
def rows(page: Page) -> Locator:
    return page.locator("#alerts > li")


def test_the_newest_shows_its_evidence(feed: Feed, page: Page, rows: Locator) -> None:
    feed.status.alerted([alert(120, head=Head(0.92, 12))])
    page.goto(feed.server.url)
    head = rows.locator("summary")
    for part in ["2023-11-14 22:13:20", "critical", "sensor-4", "open"]:
        expect(head).to_contain_text(part)
    expect(head).to_contain_text("pressure 80, expected 45.2, 1 more")
    features = rows.locator("tbody tr")
    expect(features).to_have_text(["pressure8045.2+6.3 σ61 %", "flow4.00e-50+0.2 σ3 %"])
    notes = rows.locator(".notes")
    for part in ["score 33.98, threshold 11.41, p 2.00e-5", "not flagged without pressure"]:
        expect(notes).to_contain_text(part)
    expect(notes).to_contain_text("shown best by the residual of the reconstruction")
    for part in ["missing: valve", "by the labels: 92 %", "in-0 at 120", "streamae explain id-120"]:
        expect(notes).to_contain_text(part)


def test_observed_is_drawn_against_expected(feed: Feed, page: Page) -> None:
    named = [
        Attribution("up", 8.0, 1.0, 4.0, 0.5),
        Attribution("down", -5.0, 1.0, -2.0, 0.3),
        Attribution("far", 9e9, 1.0, 40.0, 0.2),
    ]
    feed.status.alerted([alert(1, attribution=named)])
    page.goto(feed.server.url)
    charts = page.get_by_role("img", name="observed, ")
    expect(charts).to_have_count(3)
    expect(charts.first).to_have_attribute("aria-label", "8 observed, 1 expected")
    places = charts.evaluate_all("""(charts) => charts.map((chart) => {
      const { left, width } = chart.getBoundingClientRect();
      const point = chart.querySelector(".observed").getBoundingClientRect();
      return (point.left + point.width / 2 - left) / width;
    })""")
    # Ten standard deviations are 46 % of the width; what is further off is at the edge.
    assert places == pytest.approx([0.684, 0.408, 0.96], abs=0.01)
    expect(charts.nth(2).locator(".beyond")).to_have_count(1)


def test_an_episode_ends_and_a_level_shifts(feed: Feed, page: Page, rows: Locator) -> None:
    feed.status.alerted([alert(120)])
    page.goto(feed.server.url)
    expect(rows.locator("summary")).to_contain_text("open")
    feed.status.alerted([recovered(120), drift(300)])
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator("summary")).to_contain_text("pressure from 45.2 to 52 and 1 other")
    expect(rows.nth(1).locator("summary")).to_contain_text("ended, 3 records")
    # The one that was open to the eye stays so, and the new one waits to be opened.
    expect(rows.nth(1).locator("details")).to_have_attribute("open", "")
    expect(rows.nth(0).locator("tbody")).to_be_hidden()
    rows.nth(0).locator("summary").click()
    expect(rows.nth(0).locator("tbody tr").first).to_have_text("pressure45.252")


def test_another_configuration_is_told(feed: Feed, page: Page, rows: Locator) -> None:
    feed.status.alerted([reloaded(77)])
    page.goto(feed.server.url)
    expect(rows.locator("summary")).to_contain_text("budget from 0.001 to 20 per day")
    expect(rows.locator("tbody tr")).to_have_text(["budget0.00120 per day"])


def test_an_end_without_its_beginning(
    feed: Feed, page: Page, rows: Locator, complaints: list[str]
) -> None:
    feed.status.alerted([recovered(120)])
    page.goto(feed.server.url)
    expect(rows).to_contain_text("began before this page's memory")
    assert complaints == []


def test_the_list_is_walked_by_keys(feed: Feed, page: Page, rows: Locator) -> None:
    feed.status.alerted(alert(offset) for offset in range(4))
    page.goto(feed.server.url)
    expect(rows).to_have_count(4)
    focused = page.locator("#alerts summary:focus")
    rows.first.locator("summary").focus()
    for key, at in (("ArrowDown", 1), ("ArrowDown", 2), ("End", 3), ("ArrowDown", 3), ("Home", 0)):
        page.keyboard.press(key)
        expect(rows.nth(at).locator("summary")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(rows.nth(1).locator("tbody")).to_be_visible()
    # Neither a new alert above nor the end of this one takes the focus away.
    feed.status.alerted([alert(9), recovered(2)])
    expect(rows).to_have_count(5)
    expect(focused).to_contain_text("ended")
    page.keyboard.press("Space")
    expect(rows.nth(2).locator("tbody")).to_be_hidden()


def test_many_alerts_fold(feed: Feed, page: Page, rows: Locator) -> None:
    feed.status.alerted(alert(offset, key=f"k{offset}") for offset in range(10_000))
    page.goto(feed.server.url)
    expect(rows).to_have_count(8)
    expect(rows.first).to_contain_text("k9999")
    page.get_by_role("button", name="Show all 50").click()
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show fewer").click()
    expect(rows).to_have_count(8)


def test_what_was_found_in_short(feed: Feed, page: Page) -> None:
    feed.status.alerted([alert(1, "flow"), alert(2), alert(3)])
    page.goto(feed.server.url)
    expect(page.locator("#found")).to_contain_text("2023-11-14 22:13:20, sensor-4, pressure")
    expect(page.locator("#found")).to_contain_text("pressure 2×, flow 1×")


def test_names_are_never_html(feed: Feed, page: Page, rows: Locator, complaints: list[str]) -> None:
    feed.watched(TopicPartition(WILD, 0), A)
    feed.metrics.offsets_lost(TopicPartition(WILD, 0), 1)
    feed.status.transformed(
        A, {"decided": True, "times": [], "diff": [WILD], "heavy_tails": [], "lag": 0}
    )
    feed.status.alerted([alert(1, feature=WILD, key=WILD, missing=[WILD])])
    page.goto(feed.server.url)
    expect(rows.locator("tbody th").first).to_have_text(WILD)
    expect(page.locator("#partitions tbody tr").first).to_contain_text(WILD)
    assert page.locator("img").count() == 0
    expect(page).to_have_title("pump-7 · streamae")
    assert complaints == []


def test_nothing_that_a_stream_may_hold_breaks_it(
    feed: Feed, page: Page, rows: Locator, complaints: list[str]
) -> None:
    feed.watched(A)
    feed.score(A, [math.nan] * 5 + [1e30, -math.inf, math.inf, 1e-30], math.nan)
    wild = [Attribution("f" * 100_000, math.nan, math.inf, math.nan, math.nan)]
    feed.status.alerted(
        [
            alert(1, key=None, event_time=None, attribution=[], missing=["m" * 999] * 999),
            alert(2, key="k" * 1_000_000, attribution=wild, score=math.nan, counterfactual=None),
            alert(3, event_time="no time at all", head=Head(None, 0)),
        ]
    )
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(feed.server.url)
    expect(rows).to_have_count(3)
    for row in rows.all()[1:]:
        row.locator("summary").click()
    expect(rows.nth(2).locator(".notes")).to_contain_text("missing: mmm")
    expect(page.locator("#score")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
