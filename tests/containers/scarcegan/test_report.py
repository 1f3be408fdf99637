"""The page holds what people need, nothing from elsewhere, and no name can break it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

EVIL = '<script>alert("1")</script>&<!-- cards -->'
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

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def page(module):
    """Make the page of models of these names, the last one their mean."""

    def make(names, registered=(), quality=None, pool=True, classes=("dormant", "normal", "heavy", "risky")):
        judging, comparing, report = module("judging"), module("comparing"), module("report")
        generator = np.random.default_rng(0)
        actual = np.arange(200) % 4
        models = []
        for name in names:
            score = np.clip((actual == 3) * 0.4 + generator.random(200) * 0.6, 0, 1)
            models.append(
                judging.Answers(name, classes, 3, 0.5, score, generator.integers(0, 5, 200), actual)
            )
        more = {"unlabeled_flagged_share": 0.02, "unlabeled_unknown_share": 0.05, "unlabeled_rows": 9.0}
        more |= {"unlabeled_precision": 0.2, "prevalence": 0.01}
        results = {
            each.name: judging.binary(each) | judging.custom(each) | (more if pool else {}) for each in models
        }
        versions = [comparing.Registered(*each) for each in registered]
        html = report.page(models, results, comparing.side_by_side(results, versions), quality)
        return html, Page(html), results

    return make


def test_headline_and_self_containment(page):
    html, parsed, results = page(["fold_0", "fold_1", "mean"])
    assert (
        "2 models and their mean, on 200 test rows that none of them has seen; 50 of these are risky (25.0%)"
        in parsed.text
    )
    mean = results["mean"]
    assert f"Together the models find {mean['recall']:.0%} of the risky rows" in parsed.text
    assert f"Average precision is {mean['average_precision']:.3f}, where chance gives 0.250." in parsed.text
    assert "Of the unlabelled pool they flag 2.0%, and 5.0% stay unknown." in parsed.text
    assert "Where 1.0% of the pool are risky, expect 20% of what is flagged there to be." in parsed.text
    assert parsed.addresses == [] and "url(" not in html and "http" not in html
    assert parsed.tags.count("svg") == 4 and parsed.tags.count("details") == 3
    assert not re.search(r"<!-- \w+ -->", html)
    assert "No version was registered before" in parsed.text and "quality.json was not given" in parsed.text


def test_without_a_pool(page):
    _, parsed, _ = page(["a", "mean"], pool=False)
    assert "unlabelled pool" not in parsed.text


def test_side_by_side(page):
    registered = [("fold_0", "7", "Approved", {"recall": 0.0, "precision": 1.0})]
    html, parsed, results = page(["fold_0", "mean"], registered)
    assert "fold_0 version 7, Approved" in parsed.text and "mean new" in parsed.text
    recall = results["fold_0"]["recall"]
    assert f'<span class="change better">+{recall:.3f}</span>' in html
    assert f'<span class="change worse">−{1 - results["fold_0"]["precision"]:.3f}</span>' in html


def test_names_and_reasons_are_escaped(page):
    quality = {
        "rows_read": {"data_risky": 9},
        "findings": {"x": {"meaning": EVIL, "count": 2, "handling": EVIL}},
        "leakage": {f"train, {EVIL}": {"users": 0, "equal_rows": 3, "rows": 4}},
    }
    classes = (EVIL, "normal", "heavy", "risky")
    _, parsed, _ = page([EVIL, "mean"], [(EVIL, EVIL, EVIL, {})], quality, classes=classes)
    assert parsed.tags.count("script") == 0
    assert parsed.text.count('<script>alert("1")</script>') >= 8
    assert "9 rows read. Users in two splits: 0. Rows that equal one of another split: 3 of 4" in parsed.text
