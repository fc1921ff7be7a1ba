"""Keys: the same for what decides the same, another for everything else, and every difference has a name."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.content import canonical
from lykeion.core.pipelines.keys import KeyMaterial, deciding_parameters, effective_parameters
from lykeion.core.pipelines.signature import ParameterSignature, Signature

NAMES = st.sampled_from(["a", "b", "size", "A"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "1", "true", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.dictionaries(NAMES, st.sampled_from(["1", "2", ""]), max_size=3)
MATERIALS = st.builds(
    KeyMaterial,
    identity=st.sampled_from(["code", "other code"]),
    parameters=st.dictionaries(NAMES, VALUES, max_size=3),
    inputs=TEXTS,
    outputs=st.sampled_from([(), ("a",), ("a", "b")]),
    partitions=st.sampled_from([0, 1, 64]),
    env=TEXTS,
    window=st.sampled_from([None, ("2026-01-01", "2026-01-02"), ("2026-01-01", "2026-01-03")]),
    fingerprint=st.sampled_from(["", "etag"]),
    expires=st.sampled_from(["", "3600"]),
    nonce=st.sampled_from(["", "uid/step"]),
)
PARTS = {  # how the sentences about each begin
    "identity": "the component's code",
    "parameters": "parameter ",
    "inputs": "input ",
    "outputs": "the names of the outputs",
    "partitions": "the number of partitions",
    "env": "environment variable ",
    "window": "the window",
    "fingerprint": "what the component reads outside",
    "expires": "its time to live",
    "nonce": "the step is not cached",
    "contract": "the version of the step contract",
}


def naive_parts(one: KeyMaterial, other: KeyMaterial) -> set[str]:
    """The fields that are written differently."""
    return {name for name in PARTS if json.dumps(getattr(one, name), sort_keys=True) != json.dumps(getattr(other, name), sort_keys=True)}


@given(MATERIALS, MATERIALS)
def test_equal_material_is_an_equal_key_and_the_other_way_round(one, other):
    assert (one.key == other.key) == (not naive_parts(one, other))


@given(MATERIALS, MATERIALS)
def test_every_part_that_differs_is_named_and_no_other(one, other):
    sentences = one.differs_from(other)
    for part in PARTS:
        told = any(sentence.startswith(PARTS[part]) for sentence in sentences)
        assert told == (part in naive_parts(one, other)), (part, sentences)


@given(MATERIALS)
def test_a_material_comes_back_from_its_manifest_as_it_was(material):
    stored = json.loads(json.dumps(material.to_dict()))
    assert KeyMaterial.of(stored).key == material.key
    assert material.differs_from(KeyMaterial.of(stored)) == []


@given(MATERIALS)
def test_the_order_in_which_mappings_are_written_is_irrelevant(material):
    def turned(value):
        if isinstance(value, dict):
            return {name: turned(inner) for name, inner in reversed(value.items())}
        return [turned(inner) for inner in value] if isinstance(value, list) else value

    assert (
        replace(material, parameters=turned(material.parameters), env=turned(material.env), inputs=turned(material.inputs)).key
        == material.key
    )


def test_numbers_that_python_calls_equal_are_different_values():
    keys = [KeyMaterial("code", {"n": value}).key for value in (1, 1.0, True, "1")]
    assert len(set(keys)) == 4
    assert KeyMaterial("code", {"n": True}).differs_from(KeyMaterial("code", {"n": 1})) == ["parameter n: 1 then, True now"]


def test_inputs_that_came_and_went_are_told():
    before, after = KeyMaterial("code", inputs={"old": "x"}), KeyMaterial("code", inputs={"new": "x"})
    assert after.differs_from(before) == ["input new was not there", "input old is not there any more"]


def test_what_another_version_kept_can_be_compared():
    stored = {**KeyMaterial("code").to_dict(), "a field of later": 1, "contract": 99}
    del stored["expires"]
    assert KeyMaterial("code").differs_from(KeyMaterial.of(stored)) == ["the version of the step contract changed"]
    assert KeyMaterial.of({}).identity == ""


def test_long_values_are_shown_short():
    (told,) = KeyMaterial("code", {"text": "x" * 1000}).differs_from(KeyMaterial("code", {"text": "y" * 1000}))
    assert len(told) < 200


SIGNATURE = Signature(
    "c",
    parameters={
        "where": ParameterSignature("uri"),
        "size": ParameterSignature("number", required=False, default=2),
        "name": ParameterSignature("string", required=False, default="x"),
    },
)


def test_where_to_look_decides_nothing_once_a_fingerprint_says_what_is_there():
    with_fingerprint = replace(SIGNATURE, fingerprint=True)
    assert "where" not in deciding_parameters({"where": "s3://bucket"}, with_fingerprint)
    assert deciding_parameters({"where": "s3://bucket"}, SIGNATURE)["where"] == "s3://bucket"
    assert effective_parameters({"where": "s3://bucket"}, with_fingerprint)["where"] == "s3://bucket"


def test_defaults_are_filled_in_and_whole_numbers_are_floats_where_floats_are_taken():
    said = effective_parameters({"where": "x", "size": 2, "name": "x"}, SIGNATURE)
    assert canonical(said) == canonical(effective_parameters({"where": "x"}, SIGNATURE))
    assert isinstance(said["size"], float)
    assert effective_parameters({"size": True}, SIGNATURE)["size"] is True
