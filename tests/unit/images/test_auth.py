"""What a registry asks for is read as the HTTP specification says, and a token is asked for where it says."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.auth import Challenge, challenges, token_url

SCOPE = "repository:photos:pull"
tokens = st.text("abcXYZ019-_.", min_size=1, max_size=8)
quoted = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def written(challenge: Challenge) -> str:
    values = (value.replace("\\", "\\\\").replace('"', '\\"') for value in challenge.parameters.values())
    return challenge.scheme + " " + ", ".join(f'{name}="{value}"' for name, value in zip(challenge.parameters, values, strict=True))


@given(
    st.lists(
        st.builds(Challenge, tokens.map(str.lower), st.dictionaries(tokens.map(str.lower), quoted, min_size=1, max_size=4)), max_size=3
    )
)
def test_a_header_reads_back_as_it_was_written(given_challenges):
    assert challenges(", ".join(map(written, given_challenges))) == given_challenges


@given(st.text(max_size=80))
def test_no_header_makes_it_raise(header):
    for challenge in challenges(header):
        token_url(challenge, SCOPE)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Basic realm="test"', [Challenge("basic", {"realm": "test"})]),
        ("Basic", [Challenge("basic")]),
        ("", []),
        ('Bearer realm="https://a/t",service="s"', [Challenge("bearer", {"realm": "https://a/t", "service": "s"})]),
        ('Negotiate, Basic realm="x"', [Challenge("negotiate"), Challenge("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/t",scope="repository:a:pull,push"',
            [Challenge("bearer", {"realm": "https://a/t", "scope": "repository:a:pull,push"})],
        ),
    ],
)
def test_headers_that_registries_send(header, found):
    assert challenges(header) == found


def test_a_token_is_asked_for_with_the_scope_that_the_registry_wants():
    asked = urlsplit(token_url(Challenge("bearer", {"realm": "https://auth/token?x=1", "service": "r", "scope": "a:b:pull"}), SCOPE))
    assert (asked.netloc, parse_qs(asked.query)) == ("auth", {"x": ["1"], "service": ["r"], "scope": ["a:b:pull"]})
    asked = urlsplit(token_url(Challenge("bearer", {"realm": "https://auth/token"}), SCOPE))
    assert parse_qs(asked.query) == {"scope": [SCOPE]}


@pytest.mark.parametrize("realm", ["", "auth/token", "file:///etc/passwd", "ftp://auth/token"])
def test_a_realm_that_is_no_web_address_is_not_asked(realm):
    assert token_url(Challenge("bearer", {"realm": realm}), SCOPE) == ""
