"""What is it doing, and can it be trusted: the first things the page says."""

import math
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from streamae.types import TopicPartition
from tests.metrics.reports import Learned
from tests.page.feed import A, B, Feed

pytestmark = pytest.mark.slow


def check(page: Page, name: str) -> Locator:
    """Return the row of one check."""
    return page.locator("#checks li").filter(has=page.get_by_text(name, exact=True))


def fact(page: Page, list_: str, term: str) -> Locator:
    row = page.locator(f"#{list_} > div").filter(has=page.get_by_text(term, exact=True))
    return row.locator("dd")


def test_before_anything_is_assigned(feed: Feed, page: Page, complaints: list[str]) -> None:
    feed.unready = ["no partition assigned"]
    page.goto(feed.server.url)
    expect(page.locator("#state")).to_have_text("Not ready: no partition assigned")
    expect(page).to_have_title("pump-7 · streamae")
    expect(page.locator("#build")).to_contain_text("streamae 0.1.0 · torch 2.4 · cpu · up ")
    for nothing in ("none", "unassigned", "unscored", "unmeasured"):
        expect(page.locator(f"#{nothing}")).to_be_visible()
    for absent in ("score", "score-keys", "throughput", "codes", "partitions", "choice"):
        expect(page.locator(f"#{absent}")).to_be_hidden()
    assert complaints == []


def test_warm_up_then_watching(feed: Feed, page: Page, complaints: list[str]) -> None:
    feed.metrics.assigned([A])
    feed.metrics.warmup(A, 0.628)
    feed.score(A, [math.nan, 3.0, 4.0], math.inf)
    page.goto(feed.server.url)
    expect(page.locator("#state")).to_have_text("Learning what is normal")
    expect(page.locator("#none")).to_have_text("None yet: they begin after the warm-up.")
    expect(check(page, "Warm-up")).to_have_text("Warm-up62 % done, no alerts until then")
    expect(check(page, "Budget")).to_have_text("Budgetnot known yet")
    expect(page.get_by_role("progressbar", name="Warm-up")).to_be_visible()
    expect(fact(page, "work", "Read")).to_have_text("3 records")
    feed.metrics.warmup(A, 1.0)
    expect(page.locator("#state")).to_have_text("Watching")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    assert complaints == []


def test_numbers(feed: Feed, page: Page) -> None:
    feed.watched(A, B)
    feed.metrics.polled(0.1, {A: 9_000, B: 345})
    feed.metrics.consumed(A, 2000, 1)
    feed.metrics.invalid(B, "empty")
    feed.metrics.judged(A, 10_000, 8)
    feed.metrics.threshold(A, 9.25, 0.002, 0.001)
    feed.metrics.alerts(A, "warning", 3)
    feed.metrics.episodes(A, 2)
    feed.metrics.suppressed(A, "cooldown", 5)
    feed.metrics.checkpoint(A, 181_234)
    feed.metrics.commit("committed", {})
    feed.metrics.labelled(A, {"matched": 40, "late": 2, "invalid": 0}, 1)
    feed.metrics.judged_head(A, 0.31, 0.934)
    page.goto(feed.server.url)
    expect(page.locator("#state")).to_have_text("Watching")
    expect(page).to_have_title("(2) pump-7 · streamae")
    expect(page.locator("#open")).to_have_text("2")
    for list_, term, text in (
        ("work", "Waiting", "9,345 records"),
        ("work", "Rejected", "1 record"),
        ("work", "Partitions", "2"),
        ("found", "Alerts", "3"),
        ("found", "Flagged", "8 records"),
        ("found", "Suppressed", "5 records"),
        ("found", "Labels", "40 of 42 matched, ROC-AUC 0.93"),
        ("model", "Labels' head", "ROC-AUC 0.93, log loss 0.31"),
        ("model", "Threshold", "9.25, p 0.002"),
    ):
        expect(fact(page, list_, term)).to_have_text(text)
    expect(check(page, "Budget")).to_have_text("Budget0.08 % flagged, 0.1 % allowed")
    expect(check(page, "Commit")).to_have_text(re.compile(r"Commit\d s ago"))
    expect(check(page, "Snapshot")).to_have_text(re.compile(r"Snapshot\d s ago, 181 kB"))
    expect(check(page, "Input")).to_have_text("Input9,345 waiting")


def over_budget(feed: Feed) -> None:
    feed.metrics.judged(A, 30_000, 900)
    feed.metrics.threshold(A, 9.25, 0.002, 0.002)


def under_budget(feed: Feed) -> None:
    feed.metrics.judged(A, 30_000, 0)
    feed.metrics.threshold(A, 9.25, 0.002, 0.002)


def uncommitted(feed: Feed) -> None:
    feed.past = 420.0
    feed.metrics.commit("committed", {})
    feed.past = 0.0
    feed.score(A, [1.0], 10.0)


def rejected(feed: Feed) -> None:
    for _ in range(2):
        feed.status.turned()
        feed.now += 5.0
        feed.metrics.consumed(A, 100, 1)
        feed.metrics.invalid(A, "empty", 20)


def behind(feed: Feed) -> None:
    for waiting in (10_000, 20_000, 30_000):
        feed.metrics.polled(0.1, {A: waiting})
        feed.score(A, [1.0] * 50, 10.0)
        feed.status.turned()
        feed.now += 5.0


def slow_to_catch_up(feed: Feed) -> None:
    for waiting in (40_030, 40_020, 40_010):
        feed.metrics.polled(0.1, {A: waiting})
        feed.score(A, [1.0] * 50, 10.0)
        feed.status.turned()
        feed.now += 5.0


def stuck(feed: Feed) -> None:
    for _ in range(3):
        feed.metrics.polled(0.1, {A: 10})
        feed.status.turned()
        feed.now += 20.0


def held_back(feed: Feed) -> None:
    feed.status.turned()
    feed.metrics.consumed(A, 1000, 1)
    feed.metrics.learned(A, 1000, Learned(n_suspects=300, n_withheld=100))


@pytest.mark.parametrize(
    ("happens", "name", "note", "mark"),
    [
        (over_budget, "Budget", "3 % flagged, over three times the budget of 0.2 %", "look"),
        (under_budget, "Budget", "0 % flagged, under a third of the budget of 0.2 %", "look"),
        (uncommitted, "Commit", "records are read, and nothing is committed for 7 min", "bad"),
        (slow_to_catch_up, "Input", "catches up, about 8 h to go", "look"),
        (rejected, "Records", "20 % of them are rejected", "look"),
        (behind, "Input", "falls behind: 30,000 wait, 1,333 more each second", "look"),
        (stuck, "Input", "10 records wait and none is read", "bad"),
        (held_back, "Guard", "30 % of the records hardly count in learning", "look"),
        (lambda f: f.metrics.nonfinite(A, "score", 3), "Records", "3 scores or losses were", "bad"),
        (lambda f: f.metrics.offsets_lost(A, 7), "Records", "7 offsets deleted before", "look"),
        (lambda f: f.metrics.reloaded(None), "Configuration", "the last reload failed", "look"),
    ],
)
def test_what_is_wrong_is_said_first(
    feed: Feed, page: Page, happens: Callable[[Feed], None], name: str, note: str, mark: str
) -> None:
    feed.watched(A)
    feed.metrics.build("0.1.0", "2.4", "cpu", "abc")
    happens(feed)
    page.goto(feed.server.url)
    expect(page.locator("#state")).to_have_text(f"Watching, look at: {name.lower()}")
    expect(check(page, name)).to_contain_text(note)
    expect(check(page, name)).to_have_class(f"mark {mark}")
    if name not in {"Commit", "Configuration"}:
        expect(page.locator("#partitions tbody td").first).to_have_text(name)


def test_the_guard_and_a_shift_under_way_are_no_alarm(feed: Feed, page: Page) -> None:
    feed.watched(A)
    feed.status.turned()
    feed.metrics.consumed(A, 1000, 1)
    feed.metrics.learned(A, 1000, Learned(n_suspects=5, n_withheld=31, n_shifted=3))
    page.goto(feed.server.url)
    expect(check(page, "Guard")).to_have_text("Guard0.5 % counted less, 3.1 % held back")
    expect(check(page, "Drift")).to_have_text("Driftnone; a level is shifting in in-0")
    expect(page.locator("#state")).to_have_text("Watching")


def test_the_worst_of_many_partitions_is_named(feed: Feed, page: Page) -> None:
    many = [TopicPartition("in", at) for at in range(30)]
    feed.watched(*many)
    for partition in many[17:20]:
        feed.metrics.offsets_lost(partition, 2)
    page.goto(feed.server.url)
    expect(check(page, "Records")).to_contain_text("in-17 and 2 more: 2 offsets")


def test_ages_are_by_the_clock_of_the_daemon(feed: Feed, page: Page) -> None:
    feed.watched(A)
    feed.metrics.checkpoint(A, 1000)
    page.add_init_script("const now = Date.now; Date.now = () => now() - 7_200_000;")
    page.goto(feed.server.url)
    expect(page.locator("#build")).to_have_text(re.compile(r"up \d s$"))
    expect(check(page, "Snapshot")).to_have_text(re.compile(r"Snapshot\d s ago"))


def test_connection_lost_and_found(feed: Feed, page: Page) -> None:
    page.goto(feed.server.url)
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("#state")).to_have_text("Learning what is normal")
    page.route("**/status*", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_contain_text("Connection lost at ")
    expect(page.locator("#state")).to_have_text("Not reachable")
    page.unroute("**/status*")
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("#state")).not_to_have_text("Not reachable")


def test_nothing_is_fetched_from_elsewhere(feed: Feed, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(feed.server.url)
    expect(page.locator("#build")).to_contain_text("0.1.0")
    assert f"{feed.server.url}status" in asked
    assert [url for url in asked if not url.startswith(feed.server.url)] == []


def test_alerts_are_asked_for_only_when_there_are_new_ones(feed: Feed, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(feed.server.url)))
    page.goto(feed.server.url)
    started = time.monotonic()
    while asked.count("status") < 3:
        assert time.monotonic() - started < 30
        page.wait_for_timeout(100)
    assert asked.count("alerts") == 1
