"""Variables whose values lie in the Systems Manager Parameter Store or in Secrets Manager.

boto3 asks whoever AWS_ENDPOINT_URL names, AWS itself where it is not set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.errors import SetupError
from trainyard.readers import Problems

_AT_ONCE = 10  # names in one GetParameters


@dataclass(frozen=True, kw_only=True)
class Reference:
    """``secret-id[:json-key[:version-stage[:version-id]]]``, of which the id may be an ARN."""

    secret: str
    key: str | None = None
    stage: str | None = None
    version: str | None = None


def parse_reference(text: str) -> Reference:
    parts = text.split(":")
    id_parts = 7 if text.startswith("arn:") else 1
    rest = [part or None for part in parts[id_parts:]] + [None] * 3
    return Reference(secret=":".join(parts[:id_parts]), key=rest[0], stage=rest[1], version=rest[2])


def resolve(parameters: Mapping[str, str], secrets: Mapping[str, str], region: str) -> dict[str, str]:
    """The value of each variable.

    ``parameters``: variable -> name of a parameter; ``secrets``: variable -> reference to a secret.
    Raises SetupError with every value that cannot be had, one per line.
    """
    if not parameters and not secrets:
        return {}
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise SetupError(f"env.parameter-store and env.secrets-manager need boto3: {error}") from error
    problems: Problems = []
    try:
        found = _parameters(boto3.client("ssm", region_name=region), parameters, problems)
        client = boto3.client("secretsmanager", region_name=region) if secrets else None
        for variable, reference in secrets.items():
            place = f"env.secrets-manager.{variable} = {reference}"
            try:
                found[variable] = _secret(client, parse_reference(reference))
            except (ClientError, LookupError, ValueError) as error:
                problems.append(f"{place}: {error}")
    except (BotoCoreError, ClientError, ValueError) as error:
        raise SetupError(f"stored variables cannot be had: {error}") from error
    if problems:
        raise SetupError("\n".join(problems))
    return found


def _parameters(client: Any, wanted: Mapping[str, str], problems: Problems) -> dict[str, str]:
    names = sorted(set(wanted.values()))
    values: dict[str, str] = {}
    for start in range(0, len(names), _AT_ONCE):
        answer = client.get_parameters(Names=names[start : start + _AT_ONCE], WithDecryption=True)
        values |= {each["Name"] + each.get("Selector", ""): each["Value"] for each in answer["Parameters"]}
    for variable, name in wanted.items():
        if name not in values:
            problems.append(f"env.parameter-store.{variable} = {name}: there is no such parameter")
    return {variable: values[name] for variable, name in wanted.items() if name in values}


def _secret(client: Any, reference: Reference) -> str:
    chosen = {"VersionStage": reference.stage, "VersionId": reference.version}
    given = {name: value for name, value in chosen.items() if value}
    answer = client.get_secret_value(SecretId=reference.secret, **given)
    if "SecretString" not in answer:
        raise ValueError("the secret is binary; a variable needs text")
    text: str = answer["SecretString"]
    if reference.key is None:
        return text
    try:
        document = json.loads(text)
    except ValueError:
        raise ValueError(f"the secret is not JSON, so it has no key {reference.key}") from None
    if not isinstance(document, dict) or reference.key not in document:
        raise ValueError(f"the secret has no key {reference.key}")
    value = document[reference.key]
    return value if isinstance(value, str) else json.dumps(value)
