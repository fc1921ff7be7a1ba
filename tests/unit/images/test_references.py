"""What an image is called in a registry, and what is refused with the way out."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.references import Reference, parse_reference
from lykeion.errors import Invalid

HEX = "0123456789abcdef" * 4
parts = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?", fullmatch=True)
references = st.builds(
    Reference,
    st.sampled_from(["localhost", "localhost:5000", "127.0.0.1:5000", "registry.example", "[::1]:5000"]),
    st.lists(parts, min_size=1, max_size=4).map("/".join),
    st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)),
    st.sampled_from(["", f"sha256:{HEX}"]),
)


@given(references)
def test_a_reference_reads_back_as_it_is_written(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=60))
def test_any_other_text_is_refused_and_never_read_as_something_else(text: str) -> None:
    with suppress(Invalid):
        assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("photos:7", "does not say which registry"),
        ("team/photos:7", "does not say which registry"),
        ("-bad.example/photos", "is no host"),
        ("localhost:5000/Photos", "'Photos' is no name"),
        ("localhost:5000/a//b", "is no name"),
        ("localhost:5000/../etc", "is no name"),
        (f"localhost:5000/{'a' * 256}", "is no name"),
        ("localhost:5000/photos:-7", "is no tag"),
        ("localhost:5000/photos:", "is no tag"),
        ("localhost:5000/photos@sha256:12", "is no digest"),
        ("localhost:5000/photos@md5:" + HEX, "is no digest"),
    ],
)
def test_what_names_no_image_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        parse_reference(text)


def test_the_digest_counts_before_the_tag_and_no_tag_means_latest() -> None:
    named = parse_reference("localhost:5000/photos")
    assert named.wanted == "latest"
    assert parse_reference("localhost:5000/photos:7").wanted == "7"
    assert named.at(f"sha256:{HEX}").wanted == f"sha256:{HEX}"
    assert named.at(f"sha256:{HEX}").name == "localhost:5000/photos"
