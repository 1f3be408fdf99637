"""What the image of a family is called."""

from __future__ import annotations

from trainyard.families import Family

LOCAL_TAG = "local"
"""The newest image of a family that was built on this machine; what has no tag would be ``latest``."""


def image_name(family: Family) -> str:
    """The repository of the family's images, in a registry and on this machine."""
    return f"trainyard/{family.name}"


def local_image(family: Family) -> str:
    """The name of the newest image that was built on this machine: what pipelines use unless told otherwise."""
    return f"{image_name(family)}:{LOCAL_TAG}"
