"""The multi-model contract (mms-container-apis), request by request, against a running server."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

HANDLER = """
import json, os

from trainyard.in_image.handler_errors import BadRequest

def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        model = json.load(file)
    if model == "refused":
        raise BadRequest("this model is of another family")
    return model

def predict_fn(data, model):
    return [model, data]
"""
NAMES = [
    "plain",
    "percent%2Fencoded",
    "a slash/in it",
    "../../etc",
    "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n",
    "?&#",
]


@pytest.fixture(scope="module")
def server(start_server):
    folders = {f"models/m{number}/model": str(number) for number in range(12)}
    folders |= {"models/broken/model": "{", "models/refused/model": '"refused"', "elsewhere": "0"}
    server = start_server(HANDLER, folders, SAGEMAKER_MULTI_MODEL="true", TRAINYARD_MAX_MODELS="7").wait()
    (server.base / "models" / "link").symlink_to(server.base / "elsewhere")
    return server


@pytest.fixture(autouse=True)
def nothing_is_loaded(server):
    yield
    for one in json.loads(server.ask("GET", "/models")[1])["models"]:
        assert server.ask("DELETE", f"/models/{quote(one['modelName'], safe='')}")[0] == 200


def load(server, name, folder="m0/model"):
    body = json.dumps({"model_name": name, "url": f"/opt/ml/models/{folder}"})
    status, answer, _ = server.ask("POST", "/models", body)
    return status, json.loads(answer)


def test_a_model_is_loaded_asked_described_and_unloaded(server):
    described = {"modelName": "m3", "modelUrl": "/opt/ml/models/m3/model"}
    assert load(server, "m3", "m3/model") == (200, described)
    assert json.loads(server.ask("GET", "/models/m3")[1]) == described
    status, body, headers = server.ask("POST", "/models/m3/invoke", "[5]", Accept="text/csv")
    assert (status, body, headers["Content-Type"]) == (200, b"3\n5\n", "text/csv")
    assert server.ask("DELETE", "/models/m3")[0] == 200
    for method, path in (("GET", "/models/m3"), ("DELETE", "/models/m3"), ("POST", "/models/m3/invoke")):
        status, body, _ = server.ask(method, path, "0" if method == "POST" else None)
        assert (status, json.loads(body)["message"]) == (404, "model 'm3' is not loaded")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_opaque(server, name):
    assert load(server, name)[0] == 200
    path = f"/models/{quote(name, safe='')}"
    assert json.loads(server.ask("GET", path)[1])["modelName"] == name
    assert server.ask("POST", f"{path}/invoke", "0")[0] == 200


def test_a_second_load_is_a_conflict(server):
    assert load(server, "m1")[0] == 200
    assert load(server, "m1") == (409, {"code": 409, "message": "model 'm1' is already loaded"})
    assert server.ask("POST", "/models/m1/invoke", "0")[0] == 200


def test_no_room_until_one_is_unloaded(server):
    for number in range(7):
        assert load(server, f"m{number}", f"m{number}/model")[0] == 200
    assert load(server, "m7", "m7/model")[0] == 507
    assert server.ask("DELETE", "/models/m0")[0] == 200
    assert load(server, "m7", "m7/model")[0] == 200


def test_pages(server):
    for number in range(5):
        load(server, f"n {number}")
    seen, token = [], ""
    for _ in range(3):
        page = json.loads(server.ask("GET", f"/models?limit=2&next_page_token={quote(token)}")[1])
        seen.append([one["modelName"] for one in page["models"]])
        token = page.get("nextPageToken", "")
    assert (seen, token) == ([["n 0", "n 1"], ["n 2", "n 3"], ["n 4"]], "")
    for limit in ("0", "1001", "x", "9" * 5000):
        assert server.ask("GET", f"/models?limit={limit}")[0] == 400


@pytest.mark.parametrize(
    ("folder", "status", "message"),
    [
        ("broken/model", 500, "model_fn failed: JSONDecodeError"),
        ("refused/model", 400, "this model is of another family"),
        ("nowhere/model", 400, "is not a folder"),
        ("m0/model/model.json", 400, "is not a folder"),
        ("../elsewhere", 400, "is not below"),
        ("link", 400, "is not below"),
        ("x" * 5000, 400, "not"),
        ("\0", 400, "is not below"),
    ],
)
def test_a_model_that_cannot_be_loaded_leaves_nothing(server, folder, status, message):
    answered, error = load(server, "m", folder)
    assert answered == status and message in error["message"]
    assert server.ask("GET", "/models/m")[0] == 404
    assert load(server, "m")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"model_name": "m" * 1025, "url": "x"}),
        "",
        "{",
        "[]",
        "7",
        '{"model_name": "m"}',
        '{"model_name": 1, "url": "x"}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_malformed_load_requests(server, body):
    status, answer, _ = server.ask("POST", "/models", body.encode("utf-8", "surrogateescape"))
    assert status == 400 and json.loads(answer)["message"].startswith("the body ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/models", 405),
        ("POST", "/models/m", 405),
        ("GET", "/models/m/invoke", 405),
        ("POST", "/models/m/explain", 404),
        ("POST", "/models/m/invoke/again", 404),
        ("POST", "/invocations", 404),
        ("GET", "/models/%FF", 400),
        ("GET", "/models/", 404),
        ("OPTIONS", "*", 404),
    ],
)
def test_other_paths_and_methods(server, method, path, status):
    assert server.ask(method, path)[0] == status
