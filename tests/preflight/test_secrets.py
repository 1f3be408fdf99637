from __future__ import annotations

import time

import pytest

from tests.preflight.conftest import file
from trainyard.preflight.archive import Layer
from trainyard.preflight.secrets import configuration, files, hidden, is_suspect
from trainyard.preflight.subject import Still

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
PIP = "[global]\nindex-url = https://robot:hunter2@mirror.example/simple\n"


@pytest.mark.parametrize(
    ("path", "text", "what"),
    [
        ("root/server.pem", KEY, "a private key"),
        ("srv/any-name", f"notes\n{KEY}", "a private key"),
        ("etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\nMIIE\n", ""),
        ("opt/code/tls.py", f'MARK = "{KEY.splitlines()[0]}"\n', ""),
        ("opt/venv/lib/python3.11/site-packages/tornado/test/test.key", KEY, ""),
        ("usr/lib/python3.11/test/keycert.pem", KEY, ""),
        ("usr/share/doc/x/key.pem", KEY, ""),
        ("etc/ssl/private/ssl-cert-snakeoil.key", KEY, ""),
        ("root/.aws/credentials", "x", "AWS credentials"),
        ("srv/credentials", "x", ""),
        ("root/.netrc", "machine x", ".netrc"),
        ("opt/ml/code/.env", "A=1", ".env"),
        ("root/.ssh/id_rsa", "x", "id_rsa"),
        ("root/.docker/config.json", '{"auths": {"x": {"auth": "eDp5"}}}', "image registries"),
        ("root/.docker/config.json", '{"credsStore": "ecr-login"}', ""),
        ("etc/pip.conf", PIP, "with a password"),
        ("etc/pip.conf", PIP.replace("robot:hunter2@", ""), ""),
        ("etc/pip.conf", PIP.replace("hunter2", "${TOKEN}"), ""),
        ("root/.pypirc", "[pypi]\npassword: x\n", "with a password"),
        ("opt/ml/code/.git/HEAD", "ref", "git repository"),
    ],
)
def test_which_files_are_forbidden(still, path, text, what):
    findings = list(files(still(files={path: text})))
    assert [what in finding.message for finding in findings] == ([True] if what else [])
    assert all("hunter2" not in finding.message and "MIIE" not in finding.message for finding in findings)
    if what and "git" not in what:
        assert is_suspect(path, text.encode()), "or its contents would not be there to be judged"


def test_a_file_that_a_later_layer_deletes_is_still_found(still):
    image = still(files={"root/.aws/credentials": "x"})
    deleting = Layer(entries={}, deleted=frozenset({"root/.aws"}))
    [finding] = files(Still(image.family, image.image, (), (), [*image.layers, deleting]))
    assert "layer 1 of 2" in finding.message and "A later layer deletes it" in finding.message
    [kept] = files(image)
    assert "deletes" not in kept.message


def test_what_mounts_hide_and_pickles(still):
    image = still(
        files={"opt/ml/model/a": "", "opt/ml/input/b": "", "opt/ml/code/c.pkl": "", "opt/other.pkl": ""}
    )
    assert [(finding.rule, finding.severity) for finding in hidden(image)] == [
        ("hidden", "warning"), ("hidden", "warning"), ("pickle", "warning"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DB_PASSWORD", "hunter2", True),
        ("githubToken", "hunter2", True),
        ("AWS_SECRET_ACCESS_KEY", "hunter2", True),
        ("ANY", "AKIA" + "ABCDEFGHIJKLMNOP", True),
        ("PIP_INDEX_URL", "https://robot:hunter2@mirror.example/simple", True),
        ("PIP_INDEX_URL", "https://mirror.example/simple", False),
        ("PIP_INDEX_URL", "https://robot:$PASSWORD@mirror.example/simple", False),
        ("TOKENIZERS_PARALLELISM", "hunter2", False),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D", False),
        ("DB_PASSWORD_FILE", "hunter2", False),
        ("DB_PASSWORD", "$OTHER", False),
        ("USE_TOKEN", "true", False),
        ("MAX_TOKEN", "512", False),
        ("DB_PASSWORD", "", False),
    ],
)
def test_secrets_in_variables_and_build_arguments(still, name, value, secret):
    line = f"RUN |2 A=1 {name}={value} /bin/sh -c pip install x # buildkit"
    for image in (still(environment={"PATH": "/bin", name: value}), still(history=(line,))):
        findings = list(configuration(image))
        assert len(findings) == secret
        assert not any("hunter2" in finding.message or "AKIA" in finding.message for finding in findings)
    both = still(environment={"PATH": "/bin", name: value}, history=(f"ENV {name}={value}", line))
    assert len(list(configuration(both))) == secret, "each is said once"


def test_passwords_inside_commands_of_the_history(still):
    [finding] = configuration(
        still(history=("RUN /bin/sh -c git clone https://robot:hunter2@git.example/x",))
    )
    assert "robot" in finding.message and "hunter2" not in finding.message
    assert not list(configuration(still(history=("RUN /bin/sh -c curl -O https://git.example/a@b:c",))))
    assert file("x", "").is_file


@pytest.mark.parametrize(
    "value", [f"https://ghp_{'a' * 36}@github.com/x", "vault://hunter2", f"https://a:b@c/ghp_{'a' * 36}"]
)
def test_a_secret_is_not_printed_because_it_looks_like_a_url(still, value):
    line = f"RUN A_TOKEN={value} make"
    for image in (
        still(environment={"A_TOKEN": value}),
        still(history=(line,)),
        still(history=(f"RUN x {value}",)),
    ):
        for finding in configuration(image):
            assert "***" in finding.message
            assert (
                "hunter2" not in finding.message
                and "ghp_" not in finding.message
                and ":b@" not in finding.message
            )
    assert list(configuration(still(environment={"A_TOKEN": value})))


@pytest.mark.parametrize("text", ["a-" * 32_000, "\n" * 64_000, "a://" * 16_000, "export " * 9_000])
def test_hostile_text_is_read_in_a_moment(still, text):
    began = time.monotonic()
    list(files(still(files={"etc/pip.conf": text})))
    list(configuration(still(history=(text,))))
    assert time.monotonic() - began < 2
