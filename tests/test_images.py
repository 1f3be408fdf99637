from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainyard.errors import ManifestError
from trainyard.families import Example, Family, Image, Serving, Training, find_families, repository_root
from trainyard.images import content_digest, image_files, image_name

IGNORED = "# not in the image\nREADME.md\nexample/\nfamily.toml\n.dockerignore\n*.log\n!keep.log\n**/notes\n"
FILES = {
    "train.py": "print('train')",
    "inference.py": "",
    "Dockerfile": "FROM python",
    "models/net.py": "x = 1",
    "models/notes": "none",
    "README.md": "read",
    "example/generate.py": "",
    "family.toml": "",
    "a.log": "",
    "keep.log": "",
    "__pycache__/train.pyc": "",
    "models/__pycache__/net.pyc": "",
    ".dockerignore": IGNORED,
}
OF_THE_IMAGE = ["Dockerfile", "inference.py", "keep.log", "models/net.py", "train.py"]
ROOT = repository_root()


@pytest.fixture
def repository(tmp_path):
    files = {f"containers/tiny/{name}": text for name, text in FILES.items()}
    files |= {"shared/trainyard/__init__.py": "", "shared/trainyard/in_image/metrics.py": "y = 1"}
    files |= {"shared/trainyard/errors.py": "", "shared/trainyard/in_image/__pycache__/metrics.pyc": ""}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def family(repository):
    return Family(
        name="tiny",
        owner="@a/b",
        description="For tests.",
        folder=repository / "containers" / "tiny",
        image=Image(base="python:3.11@sha256:0", architectures=("amd64",)),
        training=Training(instance="", spot=False, checkpoint=None, metrics=(), hyperparameters=()),
        serving=Serving(server="pooled", content_types=(), accept=(), instance="", multi_model=False),
        example=Example(
            generate="", request="", answer="", bad_requests="", target_model=None, parameters={}
        ),
    )


def test_an_image_is_made_of_the_family_and_in_image(repository, family):
    assert list(image_files(family, repository)) == [
        *(f"containers/tiny/{name}" for name in OF_THE_IMAGE),
        "shared/trainyard/__init__.py",
        "shared/trainyard/in_image/metrics.py",
    ]
    assert image_name(family) == "trainyard/tiny"


def test_touching_any_file_of_the_image_changes_the_digest_and_a_revert_restores_it(repository, family):
    before = content_digest(family, repository)
    digests = {before}
    for file in image_files(family, repository).values():
        content, mode = file.read_bytes(), file.stat().st_mode
        file.write_bytes(content + b"#")
        digests.add(content_digest(family, repository))
        file.write_bytes(content)
        file.chmod(mode | 0o100)
        digests.add(content_digest(family, repository))
        file.chmod(mode)
        assert content_digest(family, repository) == before
        file.rename(file.with_name("renamed.py"))
        digests.add(content_digest(family, repository))
        file.with_name("renamed.py").rename(file)
    assert len(digests) == 1 + 3 * len(image_files(family, repository))


def test_readme_example_and_caches_do_not_change_the_digest(repository, family):
    before = content_digest(family, repository)
    for name in set(FILES) - set(OF_THE_IMAGE) - {".dockerignore"}:
        (family.folder / name).write_text("other")
    (family.folder / "example" / "more.json").write_text("{}")
    assert content_digest(family, repository) == before


def test_the_base_image_is_part_of_the_digest(repository, family):
    other = dataclasses.replace(family, image=dataclasses.replace(family.image, base="python@sha256:1"))
    assert content_digest(other, repository) != content_digest(family, repository)


def test_a_link_counts_as_what_it_points_to(repository, family):
    link = family.folder / "weights"
    digests = set()
    for target in ("a", "b"):
        link.symlink_to(target)
        digests.add(content_digest(family, repository))
        link.unlink()
    assert len(digests) == 2


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(OF_THE_IMAGE), st.binary(max_size=4), min_size=1))
def test_equal_digests_mean_equal_content(repository, family, contents):
    before = {name: (family.folder / name).read_bytes() for name in contents}
    digest = content_digest(family, repository)
    for name, content in contents.items():
        (family.folder / name).write_bytes(content)
    after = {name: (family.folder / name).read_bytes() for name in contents}
    assert (content_digest(family, repository) == digest) == (before == after)


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("", {"a.py", "b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("a.py", {"b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("**/a.py", {"b/c/d.txt"}),
        ("*.py", {"b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("b/", {"a.py"}),
        ("b", {"a.py"}),
        ("b/*", {"a.py"}),
        ("*", set()),
        ("b\n!b/c", {"a.py", "b/c/a.py", "b/c/d.txt"}),
        ("!a.py\na.py", {"b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("b/?/d.txt\n\n# c\n", {"a.py", "b/a.py", "b/c/a.py"}),
    ],
)
def test_dockerignore_means_what_it_means_to_docker(repository, family, rules, kept):
    for path in family.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for name in ("a.py", "b/a.py", "b/c/a.py", "b/c/d.txt"):
        (family.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (family.folder / name).write_text("")
    (family.folder / ".dockerignore").write_text(rules + "\n.dockerignore")
    start = "containers/tiny/"
    found = {name.removeprefix(start) for name in image_files(family, repository) if name.startswith(start)}
    assert found == kept


@pytest.mark.parametrize("rule", ["[ab].py", "../x", "/train.py", "a/**/b", "a\\b", "!", "./a"])
def test_a_rule_that_is_not_understood_is_refused(repository, family, rule):
    (family.folder / ".dockerignore").write_text(f"README.md\n{rule}\n")
    with pytest.raises(ManifestError) as error:
        image_files(family, repository)
    assert f"containers/tiny/.dockerignore: line 2: {rule!r} is not understood" in str(error.value)


def test_the_real_images_have_the_code_and_not_the_example():
    for name, family in find_families(ROOT).items():
        files = set(image_files(family, ROOT))
        folder = f"containers/{name}/"
        assert {folder + "train.py", folder + "inference.py", folder + "requirements.txt"} <= files
        assert not [path for path in files if path.startswith(folder + "example/") or "__pycache__" in path]
        assert not files & {folder + "README.md", folder + "family.toml", folder + ".dockerignore"}
        assert "shared/trainyard/in_image/opt_ml.py" in files


def test_a_digest_takes_milliseconds():
    for family in find_families(ROOT).values():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            content_digest(family, ROOT)
            times.append(time.perf_counter() - start)
        assert min(times) < 0.02, (family.name, times)
