"""The page holds what people need, nothing from elsewhere, and no name can break it."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from tests.containers.detectron2.scenes import found, image, split

EVIL = '<script>alert("1")</script>&<!-- cards -->'
VOID = {"meta", "link", "br", "img", "input", "hr"}
SEEN = found((10, 10, 30, 30, 0.9, 0), (70, 70, 80, 80, 0.8, 1))


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
def page(module, tmp_path):
    """Make the page of test and training images with these classes, and of some pictures."""

    def make(classes=("cat", "dog"), pictures=0, model=None, name="a.png", empty=False):
        data, report = module("dataset"), module("report")
        boxes = [(0, 10, 10, 20, 20), (1, 50, 50, 9, 9), (1, 0, 0, 99, 9, True)]
        pairs = [] if empty else [(image(data, number, *boxes), SEEN) for number in (1, 2)]
        testing = split(module, pairs, classes, ap=None if empty else 0.5)
        training = split(module, pairs[:1], classes, name="training", ap=0.75)
        (tmp_path / "pictures").mkdir(exist_ok=True)
        shown = []
        for number in range(pictures):
            file = tmp_path / f"pictures/testing_{number:03}.jpg"
            file.write_bytes(b"jpeg %d" % number)
            shown.append(
                report.Shown(
                    file=file, width=1030, height=500, image=name, right=1, false=2, missed=3, f1=0.25,
                    worst=number < (pictures + 1) // 2,
                )
            )  # fmt: skip
        html = report.page([testing, training], shown, model or {})
        return html, Page(html)

    return make


def test_headline_and_self_containment(page):
    html, parsed = page(model={"Runtime": "onnx"}, pictures=2)
    assert "2 testing images with 4 boxes of 2 classes and 2 crowds, which do not count." in parsed.text
    assert "Average precision is 0.500; at IoU 0.50 it is 0.500." in parsed.text
    assert (
        "At the score threshold 0.50, 50% of the truth is found; 50% of the detections are right."
        in parsed.text
    )
    assert "training 0.750" in parsed.text and "12.5 ms" in parsed.text and "Runtime onnx" in parsed.text
    assert all(each.startswith("data:image/jpeg;base64,") for each in parsed.addresses)
    assert "url(" not in html and "http" not in html
    assert parsed.tags.count("svg") == 4 and not re.search(r"<!-- \w+ -->", html)


def test_pictures_are_inside_and_few(page):
    html, parsed = page(pictures=24)
    sources = [base64.b64decode(each.partition(",")[2]).decode() for each in parsed.addresses]
    assert sources == ["jpeg 0", "jpeg 1", "jpeg 2", "jpeg 12", "jpeg 13", "jpeg 14"]
    assert parsed.text.count("9 more lie in the folder pictures beside this page.") == 2
    assert 'alt="a.png: truth and detections; 1 right, 3 missed, 2 false; F1 0.25"' in html


def test_what_a_picture_is_in_evaluation_json(module, tmp_path):
    shown = module("report").Shown(
        file=tmp_path / "pictures/testing_001.jpg", width=9, height=8, image="a.png", right=1, false=2, missed=3,
        f1=0.25, worst=True,
    )  # fmt: skip
    assert shown.as_json() == {
        "file": "pictures/testing_001.jpg", "width": 9, "height": 8, "image": "a.png", "right": 1, "false": 2,
        "missed": 3, "f1": 0.25, "worst": True,
    }  # fmt: skip


def test_names_are_escaped(page):
    html, parsed = page(classes=(EVIL, "dog"), pictures=2, model={EVIL: EVIL}, name=EVIL)
    assert parsed.tags.count("script") == 0 and "alert(" in parsed.text
    assert parsed.text.count('<script>alert("1")</script>') >= 7
    assert "<!-- cards" not in html, "nothing is put where a name says so"


def test_confusion_of_few_and_of_many_classes(module, page):
    _, parsed = page()
    assert (
        "Truth cat dog missed cat 2 100% 0 0% 0 0% dog 0 0% 0 0% 2 100% no truth there 0 0% 2 100% –"
        in parsed.text
    )
    many = tuple(f"class {number}" for number in range(13))
    _, parsed = page(classes=many)
    assert "Truth Detected Times class 1 missed 2 no truth there class 1 2" in parsed.text


def test_test_images_without_truth(page):
    _, parsed = page(empty=True)
    assert "No box of truth is in the testing images" in parsed.text
    assert (
        "0 testing images with 0 boxes of 2 classes." in parsed.text
        and "There is none to show." in parsed.text
    )


def test_every_number_is_defined(module):
    report = module("report")
    assert {*report._AP, *report._RATES} == set(report.DEFINITIONS)
