"""The page of a running daemon: from the first record through the warm-up to an alert."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.daemon import Daemon
from tests.streams import values

pytestmark = pytest.mark.slow


def test_a_daemon_is_watched(tmp_path: Path, page: Page, complaints: list[str]) -> None:
    source = tmp_path / "in.jsonl"
    records = values(1_000)
    source.write_bytes(b"\n".join(records[:300]) + b"\n{broken\n")
    settings = {
        "name": "pump-7",
        "source": {"path": str(source), "follow": True},
        "detector": {"block_size": 64, "warmup_records": 256},
        "alerting": {"budget": 0.01, "quiet_records": 20},
        "commit": {"interval": 0.05},
        "log": {"format": "json"},
    }
    daemon = Daemon(tmp_path, settings).start()
    try:
        page.goto(daemon.address)
        expect(page.locator("#state")).to_have_text("Learning what is normal", timeout=30_000)
        expect(page.locator("#work")).to_contain_text("1 record")
        with source.open("ab") as file:
            file.write(b"\n".join(records[300:]) + b"\n")
        expect(page.locator("#state")).to_have_text("Watching")
        expect(page.locator("#work")).to_contain_text("1,001 records")
        expect(page.locator("#checks")).to_contain_text("none lost, 1 rejected")
        expect(page.locator("#checks")).to_contain_text("1 % allowed")
        expect(page.locator("#score")).to_have_attribute("aria-label", re.compile("of in-0;"))
        newest = page.locator("#alerts > li").first
        expect(newest.locator("summary")).to_contain_text("expected")
        newest.locator("details").evaluate("row => row.open = true")
        expect(newest.get_by_role("img", name="observed,").first).to_be_visible()
        expect(page.locator("#codes circle").first).to_be_visible()
        expect(page.locator("#model")).to_contain_text("Judged by changenone")
        assert daemon.stop() == 0
        expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    finally:
        if daemon.alive:
            daemon.kill()
    assert [text for text in complaints if "Failed to" not in text] == []
