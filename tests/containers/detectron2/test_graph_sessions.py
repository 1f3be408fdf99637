"""A size that comes often has a session of its own, which answers alike; the sizes seen last are kept."""

from __future__ import annotations


def test_answers_of_a_size_do_not_change_when_it_gets_a_session(report):
    assert report["often"]["equal"]


def test_the_size_that_was_not_used_for_longest_goes(report):
    sizes = report["often"]["sizes"]
    assert report["often"]["kept"] == sizes[1:]
