"""An SBOM lists what is in an image, the same for the same image."""

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.oci import Settings, image
from lykeion.core.images.sbom import component, layer_url, model_url, sbom

EMPTY = image([], Settings())
PARTS = [
    ("pkg:pypi/numpy@2.4.6", f"sha256:{'a' * 64}"),
    ("pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64", ""),
    (model_url("photos", 7), f"sha256:{'b' * 64}"),
    (layer_url(f"sha256:{'c' * 64}"), f"sha256:{'c' * 64}"),
]


def test_it_is_what_the_schema_of_cyclonedx_asks_for():
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom("photos:7", EMPTY, PARTS).decode()) is None


def test_an_image_is_a_container_of_its_digest():
    told = json.loads(sbom("photos:7", EMPTY, PARTS))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    about = told["metadata"]["component"]
    assert (about["type"], about["name"], about["version"]) == ("container", "photos:7", EMPTY.digest)
    assert "timestamp" not in told["metadata"]
    assert "serialNumber" not in told


@given(st.permutations(PARTS * 2))
def test_neither_order_nor_repetition_changes_it(parts):
    assert sbom("photos:7", EMPTY, parts) == sbom("photos:7", EMPTY, PARTS)


def test_packages_models_and_others_layers_are_what_they_are():
    assert component(*PARTS[0]) == {
        "type": "library",
        "bom-ref": "pkg:pypi/numpy@2.4.6",
        "name": "numpy",
        "version": "2.4.6",
        "purl": "pkg:pypi/numpy@2.4.6",
        "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
    }
    deb = component(*PARTS[1])
    assert (deb["name"], deb["version"]) == ("libc6", "2.36-9+deb12u14")
    assert "hashes" not in deb
    model = component(*PARTS[2])
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "photos", "7")
    layer = component(*PARTS[3])
    assert (layer["type"], layer["name"], layer["version"]) == ("container", "layer", f"sha256:{'c' * 64}")


def test_a_package_without_a_version_has_none():
    assert "version" not in component("pkg:generic/thing", "")
