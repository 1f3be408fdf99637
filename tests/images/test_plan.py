from __future__ import annotations

import json

import pytest

from trainyard.images.build import build
from trainyard.images.plan import InEngine, InRegistry, explain, plan
from trainyard.images.recipe import BASE_DIGEST, BASE_NAME, FILES, Recipe, short
from trainyard.images.remote import push

HERE = "containers/tiny"


def labels(recipe: Recipe, **changes: str | None) -> dict[str, str]:
    """Labels of an image like the recipe's, apart from some files."""
    files = {**short(recipe.files), **{f"{HERE}/{name}.py": digest for name, digest in changes.items()}}
    return {**recipe.labels, FILES: json.dumps({name: digest for name, digest in files.items() if digest})}


@pytest.fixture
def recipe(repository, tiny) -> Recipe:
    return Recipe.of(tiny, repository)


def test_files_that_changed_came_and_went_are_named(recipe):
    others = {"src-1": labels(recipe, train="0", inference=None, gone="1")}
    assert explain(recipe, others) == (
        f"differs from src-1: removed {HERE}/gone.py, added {HERE}/inference.py, changed {HERE}/train.py"
    )


def test_it_is_compared_with_the_most_similar_image(recipe):
    others = {
        "src-1": labels(recipe, train="0", inference="0"),
        "src-2": labels(recipe, train="0"),
        "src-3": {},
    }
    assert explain(recipe, others) == f"differs from src-2: changed {HERE}/train.py"


def test_another_base_image_and_other_labels_are_reasons(recipe):
    other_base = {**labels(recipe), BASE_NAME: "python:3.10"}
    assert explain(recipe, {"src-1": other_base}) == f"differs from src-1: base image {recipe.base}"
    assert (
        explain(recipe, {"src-1": labels(recipe)}) == "differs from src-1: nothing but the manifest's labels"
    )
    assert labels(recipe)[BASE_DIGEST] in recipe.base


@pytest.mark.parametrize("others", [{}, {"src-1": {}}])
def test_without_anything_to_compare_it_is_new(recipe, others):
    assert explain(recipe, others) == "there is no image of this family yet"


@pytest.mark.parametrize("label", ["", "{", "[1]", "null", "5", "<html>"])
def test_a_label_that_somebody_else_wrote_says_nothing(recipe, label):
    assert explain(recipe, {"src-1": {FILES: label}}) == "there is no image of this family yet"


def test_reasons_fit_into_one_line(recipe):
    before = labels(recipe)
    before[FILES] = json.dumps({"a\nb": "0", "caf\udce9": "0", **{f"f{number}": "0" for number in range(99)}})
    why = explain(recipe, {"src-1": before})
    assert "removed 'a\\nb', removed 'caf\\udce9'" in why and why.endswith(" more") and len(why) < 1000


def test_present_is_what_has_the_tag(recipe):
    class Somewhere:
        def has(self, asked: Recipe) -> bool:
            return asked is recipe

        def others(self, asked: Recipe, most: int) -> dict[str, dict[str, str]]:
            return {}

    other = Recipe(family=recipe.family, base=recipe.base, files={})
    assert [one.status for one in plan([recipe, other], Somewhere())] == ["present", "missing"]


def test_engine_and_registry_know_what_was_built_and_pushed(
    pinned_base, repository, tiny, other, engine, registry
):
    recipes = [Recipe.of(family, repository) for family in (tiny, other)]
    here, there = InEngine(engine), InRegistry(registry)
    assert {one.status for place in (here, there) for one in plan(recipes, place)} == {"missing"}
    built = build(recipes[0], repository, engine)
    assert [one.status for one in plan(recipes, here)] == ["present", "missing"]
    assert [one.status for one in plan(recipes, there)] == ["missing", "missing"]
    push(engine, built.reference, registry, "trainyard/tiny", recipes[0].tag)
    assert [one.status for one in plan(recipes, there)] == ["present", "missing"]
    (tiny.folder / "train.py").write_text("other")
    changed = Recipe.of(tiny, repository)
    for place in (here, there):
        [planned] = plan([changed], place)
        assert planned.why == f"differs from {recipes[0].tag}: changed {HERE}/train.py"
