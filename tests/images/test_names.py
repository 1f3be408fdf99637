from __future__ import annotations

from trainyard.images.names import image_name, local_image


def test_an_image_has_the_familys_name_and_never_the_tag_latest(family):
    assert image_name(family) == f"trainyard/{family.name}"
    assert local_image(family) == f"trainyard/{family.name}:local"
