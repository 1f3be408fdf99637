"""What must not be in an image, whichever layer it is in: keys, credentials, passwords, repositories.

A file that a later layer deletes is still there for everybody who pulls the image. Secrets themselves are
never printed: findings are read in logs that more people see than the image.

No alarm is raised for what comes with packages: bundles of certificate authorities hold no private key, and
the private keys in ``site-packages``, in CPython's own tests, below ``/usr/share`` and of Debian's ``ssl-cert``
(its name is snakeoil) are test data that is public anyway. The price: a secret hidden there is not seen.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator

from trainyard.in_image.opt_ml import OptMl
from trainyard.preflight.archive import Entry
from trainyard.preflight.checks import Finding
from trainyard.preflight.subject import Still

_REMEDY = (
    "take it out of the build context, give it with `RUN --mount=type=secret`, and replace it: it is known"
)
_NAMES = {
    ".netrc", "_netrc", ".git-credentials", ".pypirc", ".npmrc", "pip.conf", "pip.ini", ".env",
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials", "config.json",
}  # fmt: skip
_KEY = re.compile(rb"^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\r?\n", re.MULTILINE)
_PACKAGES = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages)/|^usr/share/|^usr/(?:local/)?lib/python3[^/]*/test/|snakeoil"
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@\"']*:([^\s/@\"']+)@", re.IGNORECASE)
_PASSWORD_LINE = re.compile(r"_authToken|^[ \t]*password[ \t]*[:=]", re.MULTILINE)
_ASSIGNED = re.compile(r"(?:^|[\s;])(?:export\s+)?([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S+)")
_WORDS = {"TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "SECRETS", "APIKEY", "CREDENTIALS"}
_PAIRS = {("API", "KEY"), ("ACCESS", "KEY"), ("PRIVATE", "KEY")}
_PLACES = {"FILE", "PATH", "DIR", "URL", "ID", "NAME"}
_KNOWN_FORMS = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{36}|\bgithub_pat_\w{22}|\bhf_[A-Za-z]{34}\b"
)
_PICKLES = (".pkl", ".pickle", ".joblib")


def is_suspect(path: str, head: bytes) -> bool:
    """Whether a file's contents are needed to judge it."""
    return posixpath.basename(path) in _NAMES or b"PRIVATE KEY" in head


def files(still: Still) -> Iterator[Finding]:
    """Secrets in the files of every layer, deleted ones too."""
    repositories = set()
    for number, layer in enumerate(still.layers, start=1):
        for path, entry in layer.entries.items():
            if "/.git/" in f"/{path}" and not _PACKAGES.search(path):
                repositories.add((f"/{path}".partition("/.git/")[0] + "/.git", number))
            elif entry.is_file and entry.head and (what := _secret(path, entry)):
                yield _found(still, number, f"/{path}", what)
    for folder, number in sorted(repositories):
        yield _found(still, number, folder, "a git repository with its whole history")


def hidden(still: Still) -> Iterator[Finding]:
    """What is baked in where the platform mounts folders of its own, and models that are pickles."""
    ml = OptMl()
    for folder in (ml.input_data.parent, ml.model, ml.output, ml.checkpoints):
        baked = still.tree.below(folder.as_posix())
        if baked:
            yield Finding(
                rule="hidden",
                severity="warning",
                message=f"{len(baked)} files below {folder}, such as /{baked[0].path}: SageMaker mounts its own folder "
                "there, which hides them; put them somewhere else",
            )
    for entry in still.tree.below(ml.code.as_posix()):
        if entry.path.endswith(_PICKLES):
            yield Finding(
                rule="pickle",
                severity="warning",
                message=f"/{entry.path}: loading a pickle runs whatever code is in it; keep models as JSON, npz or "
                "safetensors",
            )


def configuration(still: Still) -> Iterator[Finding]:
    """Secrets in ENV and in the history, where build arguments stay for everybody to read."""
    for name, value in still.environment.items():
        if what := _secret_value(name, value):
            yield Finding(rule="secret-env", message=f"ENV {name}={_masked(value)}: {what}; {_REMEDY}")
    seen = {f"{name}={value}" for name, value in still.environment.items()}
    for line in still.history:
        for name, quoted in _ASSIGNED.findall(line):
            value = quoted.strip("\"'")
            what = _secret_value(name, value)
            if what and f"{name}={value}" not in seen:
                seen.add(f"{name}={value}")
                yield Finding(
                    rule="secret-history",
                    message=f"docker history shows {name}={_masked(value)}: {what}; {_REMEDY}",
                )
        rest = _ASSIGNED.sub(" ", line)
        if _literal_password(rest) or _KNOWN_FORMS.search(rest):
            yield Finding(
                rule="secret-history",
                message=f"docker history shows a password in {_without_secrets(line)!r}; {_REMEDY}",
            )


def _found(still: Still, number: int, path: str, what: str) -> Finding:
    deleted = path.strip("/") not in still.tree.entries
    also = " A later layer deletes it, but everybody who pulls the image has it." if deleted else ""
    return Finding(
        rule="forbidden-file",
        message=f"{path} in layer {number} of {len(still.layers)} is {what}.{also} So: {_REMEDY}",
    )


def _secret(path: str, entry: Entry) -> str:
    """What kind of secret a file is, or nothing."""
    if _PACKAGES.search(path):
        return ""
    name, text = posixpath.basename(path), entry.head.decode("utf-8", "replace")
    if _KEY.search(entry.head):
        return "a private key"
    if path.endswith(".aws/credentials"):
        return "a file of AWS credentials"
    if name in (".netrc", "_netrc", ".git-credentials", ".env") or name.startswith("id_"):
        return f"a file of credentials ({name})"
    if path.endswith(".docker/config.json") and '"auth"' in text:
        return "Docker's passwords for image registries"
    configures = name in ("pip.conf", "pip.ini", ".pypirc", ".npmrc")
    if configures and (_literal_password(text) or _PASSWORD_LINE.search(text)):
        return "a configuration with a password in it"
    return ""


def _secret_value(name: str, value: str) -> str:
    """Why ``NAME=value`` is a secret, or nothing. Values that name another variable or a place are none."""
    if _literal_password(value):
        return "its URL has a password in it"
    if _KNOWN_FORMS.search(value):
        return "it has the form of an access key"
    words = re.split(r"_+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper())
    secret = bool(_WORDS & set(words)) or bool(_PAIRS & set(itertools.pairwise(words)))
    if not secret or words[-1] in _PLACES:
        return ""
    if (
        not value
        or value.startswith(("$", "/"))
        or value.lower() in ("true", "false", "none")
        or value.isdecimal()
    ):
        return ""
    return "by its name it is a secret"


def _literal_password(text: str) -> bool:
    return any(not match.group(1).startswith(("$", "{", "<")) for match in _URL.finditer(text))


def _masked(value: str) -> str:
    return _without_passwords(value) if _literal_password(value) else "***"


def _without_passwords(text: str) -> str:
    text = _URL.sub(lambda match: match.group(0).replace(match.group(1), "***"), text)
    return _KNOWN_FORMS.sub("***", text)


def _without_secrets(line: str) -> str:
    return _without_passwords(_ASSIGNED.sub(lambda match: f" {match.group(1)}=***", line))[:160]
