from __future__ import annotations

import json

import pytest

from trainyard.cli.main import main
from trainyard.families import find_families, repository_root

FAMILIES = find_families(repository_root())


def test_every_family_is_listed_with_owner_server_image_and_description(capsys):
    assert main(["families"]) == 0
    heads, *lines = capsys.readouterr().out.splitlines()
    assert heads.split() == ["FAMILY", "OWNER", "SERVER", "IMAGE", "DESCRIPTION"]
    assert [line.split()[0] for line in lines] == list(FAMILIES)
    for line, family in zip(lines, FAMILIES.values(), strict=True):
        assert line.split()[1:4] == [family.owner, family.serving.server, f"trainyard/{family.name}"]
        assert line.endswith(family.description)


def test_as_json_the_list_is_the_manifests(capsys):
    assert main(["families", "--json"]) == 0
    documents = json.loads(capsys.readouterr().out)
    assert [document["name"] for document in documents] == list(FAMILIES)
    for document in documents:
        family = FAMILIES[document["name"]]
        assert document["image"]["name"] == f"trainyard/{family.name}"
        assert document["image"]["base"] == family.image.base
        names = [each.name for each in family.training.hyperparameters]
        assert [each["name"] for each in document["training"]["hyperparameters"]] == names


@pytest.mark.parametrize("name", FAMILIES)
def test_one_family_is_shown_with_every_hyperparameter_and_metric(name, capsys):
    family = FAMILIES[name]
    assert main(["families", name]) == 0
    page = capsys.readouterr().out
    for word in (family.image.base, family.owner, family.serving.instance):
        assert word in page
    hyperparameters = page.partition("\nMETRIC")[0].splitlines()  # metrics may have the same names
    for each in family.training.hyperparameters:
        (line,) = [line for line in hyperparameters if line.startswith(f"{each.name} ")]
        assert each.type in line
        assert line.endswith(each.meaning)
    assert all(metric.regex in page for metric in family.training.metrics)
    assert main(["families", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == name


def test_an_unknown_family_has_its_exit_code(capsys):
    assert main(["families", "nobody"]) == 11
    assert "trainyard: no family 'nobody' under containers/" in capsys.readouterr().err
