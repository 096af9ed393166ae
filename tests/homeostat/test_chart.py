"""The demo's chart as a page."""

from __future__ import annotations

from pathlib import Path

from homeostat.demo.chart import label_levels, write_chart
from tests.homeostat.test_view import healing

ANSWERS = {row: row % 10 < 9 for row in range(2000)}


def test_the_page_says_what_it_is_and_has_its_figures_without_javascript(tmp_path: Path) -> None:
    failed = healing(fault="a <fault>", outcome="failed", why="it was not verified")

    page = write_chart(tmp_path / "a.html", ANSWERS, ANSWERS, [failed], {900: "2"}, "90% were right").read_text()

    start, end = page.index("<script"), page.rindex("</script>")
    text = page[:start] + page[end:]
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>Homeostat" in text
    assert "<noscript>" in text
    assert all(words in text for words in ("90% were right", "a &lt;fault&gt;", "76.4%", "it was not verified"))


def test_the_page_needs_no_network(tmp_path: Path) -> None:
    page = write_chart(tmp_path / "a.html", ANSWERS, ANSWERS, [healing()], {}, "").read_text()

    assert "Plotly.newPlot" in page
    assert '<script src="http' not in page
    assert "<link" not in page
    assert len(page) < 2_500_000


def test_each_version_has_a_label_at_its_own_row_that_hides_no_other() -> None:
    swaps = [1000, 9000, 9300, 9600, 10_900, 14_000]

    assert label_levels(swaps, 20_000) == {1000: 0, 9000: 0, 9300: 1, 9600: 2, 10_900: 0, 14_000: 0}
    assert label_levels(swaps, 50_000) == {1000: 0, 9000: 0, 9300: 1, 9600: 2, 10_900: 3, 14_000: 0}
    assert label_levels([], 0) == {}
