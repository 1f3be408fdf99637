"""The registry of loaded models: one load at a time per name, a cap, folders it may read."""

from __future__ import annotations

import threading
import weakref

import pytest

from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server.models import Models, Refused

URL = "/opt/ml/models/m/model"


class Model:
    """A loaded model that knows whether it is gone."""


@pytest.fixture
def opt_ml(tmp_path):
    (tmp_path / "models" / "m" / "model").mkdir(parents=True)
    return OptMl(tmp_path)


def status_of(call, *arguments) -> int:
    with pytest.raises(Refused) as error:
        call(*arguments)
    return error.value.status_code


def test_the_folder_below_the_base_is_what_is_loaded(opt_ml):
    models = Models(str, opt_ml)
    models.load("a", URL)
    assert models.get("a").model == str((opt_ml.models / "m" / "model").resolve())


def test_a_name_is_taken_from_the_moment_its_loading_begins(opt_ml):
    begun, go_on = threading.Event(), threading.Event()

    def slow(folder):
        begun.set()
        go_on.wait(10)
        return folder

    models = Models(slow, opt_ml)
    thread = threading.Thread(target=models.load, args=("a", URL))
    thread.start()
    begun.wait(10)
    assert status_of(models.load, "a", URL) == 409
    assert status_of(models.get, "a") == 404
    assert status_of(models.unload, "a") == 404
    assert models.page("", 10) == ([], "")
    go_on.set()
    thread.join()
    assert models.get("a").url == URL


def test_loading_counts_against_the_cap(opt_ml):
    models = Models(str, opt_ml, max_models=1)
    models.load("a", URL)
    assert status_of(models.load, "b", URL) == 507
    models.unload("a")
    models.load("b", URL)


def test_memory_that_runs_out_is_507_and_the_name_is_free_again(opt_ml):
    answers = iter([MemoryError, ValueError, None])

    def load(folder):
        error = next(answers)
        if error:
            raise error
        return folder

    models = Models(load, opt_ml)
    assert status_of(models.load, "a", URL) == 507
    with pytest.raises(ValueError):
        models.load("a", URL)
    models.load("a", URL)


def test_an_unloaded_model_is_gone_even_from_a_cycle(opt_ml):
    def load(folder):
        model = Model()
        model.itself = model
        return model

    models = Models(load, opt_ml)
    models.load("a", URL)
    seen = weakref.ref(models.get("a").model)
    models.unload("a")
    assert seen() is None


def test_pages_go_on_behind_a_model_that_was_unloaded(opt_ml):
    models = Models(str, opt_ml)
    for name in "dbca":
        models.load(name, URL)
    page, token = models.page("", 2)
    assert ([one.name for one in page], token) == (["a", "b"], "b")
    models.unload("b")
    page, token = models.page(token, 2)
    assert ([one.name for one in page], token) == (["c", "d"], "")


@pytest.mark.parametrize("url", ["/opt/ml/models/../code", "/etc", "models/m", "/opt/ml/models/m/none", ""])
def test_other_folders_are_refused(opt_ml, url):
    opt_ml.code.mkdir()
    assert status_of(Models(str, opt_ml).load, "a", url) == 400
