"""The page holds what people need, nothing from elsewhere, and no id can break it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

EVIL = '<script>alert("1")</script>&<!-- customers -->'
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags are closed in order and collects text, tags and addresses."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.addresses = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def page(module, make_score):
    """Make the page of these scores."""

    def make(scores, unscored=(), quality=None):
        aggregate, report = module("aggregate"), module("report")
        unscored = [module("scoring").Unscored(name, "x", reason) for name, reason in unscored]
        overall, steps = aggregate.overall(scores, unscored), aggregate.by_step(scores)
        html = report.page(overall, steps, scores, unscored, quality)
        return html, Page(html)

    return make


def test_headline_and_self_containment(page, make_score):
    html, parsed = page([make_score("a", 0.5), make_score("b", 0.9), make_score("c", 1.6)])
    assert "Median MASE 0.900" in parsed.text
    assert (
        "3 customers, 4 steps ahead each, held out from 2024-03-01 to 2024-03-04: 12 readings" in parsed.text
    )
    assert "beats repeating the last season for 100% of the customers" in parsed.text
    assert "80% intervals held 100% of the readings: too wide" in parsed.text
    assert parsed.addresses == [] and "url(" not in html and "http" not in html
    assert parsed.tags.count("svg") == 2 + 3
    assert not re.search(r"<!-- \w+ -->", html)
    assert (
        "All 3 customers." in parsed.text
        and "every customer with held-out readings has a model" in parsed.text
    )


def test_ids_and_reasons_are_escaped(page, make_score):
    quality = {
        "rows_read": 9, "files": {"a.csv": 9}, "step_seconds": 3600.0, "constant": [EVIL],
        "findings": {"x": {"meaning": EVIL, "count": 2, "handling": EVIL}},
        "excluded": [{"customer": EVIL, "rows": 1}], "not_evaluated": [{"customer": EVIL}],
    }  # fmt: skip
    _, parsed = page([make_score(EVIL, 0.5)], [(EVIL, EVIL)], quality)
    assert parsed.tags.count("script") == 1
    assert parsed.text.count('<script>alert("1")</script>') >= 8
    assert "9 rows read; the median step between readings is 1 hour." in parsed.text


def test_a_long_table_is_cut_and_says_so(page, make_score):
    scores = [make_score(f"customer {number}", number / 1000) for number in range(700)] + [
        make_score("flat", None)
    ]
    _, parsed = page(scores)
    assert "The worst 500 of 701 customers by MASE; per_customer.csv has all." in parsed.text
    assert parsed.tags.count("tr") == 1 + 500
    assert "undefined for 1" in parsed.text


def test_selection(module, make_score):
    scores = [
        make_score(f"c{number}", mase) for number, mase in enumerate([0.9, 0.1, None, 3.0, 0.8, 2.0, 0.7])
    ]
    chosen = [(label, score.customer) for label, score in module("report").selection(scores)]
    assert chosen == [
        ("Best", "c1"), ("Median", "c0"), ("Worst", "c3"), ("Example", "c2"), ("Example", "c4"), ("Example", "c5"),
    ]  # fmt: skip
    assert [label for label, _ in module("report").selection(scores[:1])] == ["Best"]
