"""An image's documents say what is in it and nothing else, so that the same content has the same digest everywhere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.oci import (
    CONFIG,
    LAYER_LIMIT,
    TAR,
    Descriptor,
    Layer,
    Settings,
    artifact,
    digest_of,
    image,
    index,
    read_image,
)
from lykeion.errors import Corrupt


def layer(number: int, kind: str = "wheels") -> Layer:
    digest = digest_of(str(number).encode())
    return Layer(Descriptor(TAR, digest, number, {"dev.lykeion.layer": kind, "org.opencontainers.image.title": f"n{number}"}), digest)


SETTINGS = Settings(entrypoint=("python3",), command=("-m", "http.server"), env={"B": "2", "A": "1"}, labels={"z": "1", "a": "2"})


def test_the_order_in_which_settings_were_said_does_not_matter() -> None:
    other = Settings(entrypoint=("python3",), command=("-m", "http.server"), env={"A": "1", "B": "2"}, labels={"a": "2", "z": "1"})
    assert image([layer(1)], SETTINGS).digest == image([layer(1)], other).digest


def test_the_order_of_layers_matters() -> None:
    assert image([layer(1), layer(2)], SETTINGS).digest != image([layer(2), layer(1)], SETTINGS).digest


def test_a_manifest_names_its_config_and_layers_by_what_they_are() -> None:
    made = image([layer(1), layer(2)], SETTINGS, {"note": "x"})
    told = json.loads(made.manifest)
    assert told["config"] == {"mediaType": CONFIG, "digest": digest_of(made.config), "size": len(made.config)}
    assert [one["digest"] for one in told["layers"]] == [layer(1).descriptor.digest, layer(2).descriptor.digest]
    assert told["annotations"] == {"note": "x"}
    assert json.loads(made.config)["rootfs"]["diff_ids"] == [layer(1).diff_id, layer(2).diff_id]


def test_a_config_holds_no_time_and_no_root() -> None:
    config = json.loads(image([layer(1)], SETTINGS).config)
    assert "created" not in config
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Env"] == ["A=1", "B=2"]


@given(st.lists(st.integers(0, 50), max_size=20))
def test_an_image_is_read_back_from_its_documents(numbers: list[int]) -> None:
    made = image([layer(number) for number in numbers], SETTINGS)
    assert read_image(made.manifest, made.config) == made


def test_what_layers_are_is_told_once_and_travels_in_the_history() -> None:
    made = image([layer(1, "base"), layer(2, "code")], SETTINGS)
    assert [one["created_by"] for one in json.loads(made.config)["history"]] == ["base n1", "code n2"]
    assert b"annotations" not in made.manifest


@pytest.mark.parametrize("history", ['[{"created_by":"COPY x"}]', "[]", '[{"created_by":"base"},{"created_by":"code"}]'])
def test_the_history_of_another_tool_names_no_layer(history: str) -> None:
    other = Layer(Descriptor(TAR, digest_of(b"x"), 1), digest_of(b"x"))
    made = image([other], SETTINGS)
    config = json.dumps({**json.loads(made.config), "history": json.loads(history)}).encode()
    manifest = made.manifest.replace(made.config_descriptor.digest.encode(), digest_of(config).encode())
    assert read_image(manifest, config).layers == (other,)


def test_more_layers_than_runtimes_take_are_refused() -> None:
    image([layer(1)] * LAYER_LIMIT, SETTINGS)
    with pytest.raises(ValueError, match="100 layers, not 101"):
        image([layer(1)] * (LAYER_LIMIT + 1), SETTINGS)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"layers": [{}], "config": {}}', b'{"layers": 3, "config": 4}'])
def test_what_is_no_manifest_is_corrupt(manifest: bytes) -> None:
    with pytest.raises(Corrupt, match=r"no descriptor|no image manifest"):
        read_image(manifest, b'{"rootfs": {"diff_ids": ["sha256:0"]}}')


def test_another_config_than_the_manifest_names_is_corrupt() -> None:
    made = image([layer(1)], SETTINGS)
    with pytest.raises(Corrupt, match="pull or build it again"):
        read_image(made.manifest, made.config.replace(b"amd64", b"arm64"))


def test_an_artifact_names_its_subject_so_that_a_registry_lists_it() -> None:
    made = image([layer(1)], SETTINGS)
    told = json.loads(artifact("application/vnd.cyclonedx+json", [layer(3).descriptor], made.descriptor))
    assert told["subject"] == made.descriptor.to_json()
    assert told["artifactType"] == "application/vnd.cyclonedx+json"
    assert told["config"]["digest"] == digest_of(b"{}")


def test_an_index_lists_manifests_with_their_annotations() -> None:
    one = Descriptor(TAR, digest_of(b"x"), 1, {"org.opencontainers.image.ref.name": "photos:7"})
    assert json.loads(index([one]))["manifests"] == [one.to_json()]
    assert Descriptor.from_json(one.to_json()) == one
