"""A signature vouches for one image by one key, and for nothing else."""

import json
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.images.trust import Key, hint_of, make_key, read_key, read_public, why_untrusted
from lykeion.core.content import digest_of
from lykeion.core.images.signature import BUNDLE, Signed, statement, why_not_trusted
from lykeion.errors import Conflict, Corrupt, Invalid, NotFound

IMAGE, OTHER = digest_of(b"image"), digest_of(b"other")


@pytest.fixture(scope="module")
def key() -> Key:
    return Key(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="module")
def stranger() -> Key:
    return Key(ec.generate_private_key(ec.SECP256R1()))


def public(key: Key) -> ec.EllipticCurvePublicKey:
    return key.private.public_key()


def test_a_signature_vouches_for_its_image_by_its_key(key):
    assert why_untrusted(IMAGE, [key.sign(IMAGE)], [public(key)]) == ""


def test_it_vouches_for_no_other_image(key):
    assert why_untrusted(OTHER, [key.sign(IMAGE)], [public(key)]) == f"a signature vouches for {IMAGE}"


def test_a_key_that_is_not_trusted_vouches_for_nothing(key, stranger):
    assert "no trusted key" in why_untrusted(IMAGE, [stranger.sign(IMAGE)], [public(key)])
    assert "no trusted key" in why_untrusted(IMAGE, [key.sign(IMAGE)], [])


def test_an_image_without_a_signature_is_not_trusted(key):
    assert why_untrusted(IMAGE, [], [public(key)]) == "nobody has signed it"


def test_bad_signatures_beside_a_good_one_do_no_harm(key, stranger):
    bundles = [b"no bundle", stranger.sign(IMAGE), key.sign(OTHER), key.sign(IMAGE)]
    assert why_untrusted(IMAGE, bundles, [public(key)]) == ""
    assert "it is no sigstore bundle" in why_untrusted(IMAGE, bundles[:3], [public(key)])


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_changed_bit_of_what_is_signed_or_of_the_signature_is_found(at, bit):
    key = Key(ec.derive_private_key(7, ec.SECP256R1()))
    signed = Signed.from_bytes(key.sign(IMAGE))
    both = bytearray(signed.payload + signed.signature)
    both[at % len(both)] ^= 1 << bit
    changed = Signed(bytes(both[: len(signed.payload)]), bytes(both[len(signed.payload) :]), signed.hint)
    assert why_untrusted(IMAGE, [changed.to_bytes()], [public(key)])


def test_a_signature_of_something_else_by_the_same_key_vouches_for_no_image(key):
    payload = json.dumps({**json.loads(statement(IMAGE)), "predicateType": "https://slsa.dev/provenance/v1"}).encode()
    unsigned = Signed(payload, b"", "")
    assert unsigned.subjects == ()
    assert why_not_trusted(IMAGE, [unsigned.to_bytes()], lambda _: True) == "a signature vouches for no image"


def test_a_bundle_is_read_back_as_it_was_written(key):
    signed = Signed.from_bytes(key.sign(IMAGE))
    assert Signed.from_bytes(signed.to_bytes()) == signed
    assert signed.subjects == (IMAGE,)
    assert signed.hint == hint_of(public(key))


def test_a_bundle_has_the_form_that_sigstore_says(key):
    told = json.loads(key.sign(IMAGE))
    assert told["mediaType"] == BUNDLE
    assert told["verificationMaterial"] == {"publicKey": {"hint": hint_of(public(key))}, "tlogEntries": []}
    envelope = told["dsseEnvelope"]
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    said = json.loads(b64decode(envelope["payload"]))
    assert said["subject"] == [{"digest": {"sha256": IMAGE[7:]}}]
    assert Signed(b"a", b"", "").message == b"DSSEv1 28 application/vnd.in-toto+json 1 a"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.clear(),
        lambda told: told.update(mediaType="application/json"),
        lambda told: told["dsseEnvelope"].update(payloadType="text/plain"),
        lambda told: told["dsseEnvelope"].update(signatures=[]),
        lambda told: told["dsseEnvelope"].update(payload="%%%"),
        lambda told: told.update(dsseEnvelope=[]),
    ],
)
def test_what_is_no_bundle_is_corrupt(key, change):
    told = json.loads(key.sign(IMAGE))
    change(told)
    with pytest.raises(Corrupt):
        Signed.from_bytes(json.dumps(told).encode())


def test_a_bundle_or_a_statement_that_is_nested_too_deep_says_nothing_against_another(key):
    deep = b"[" * 60_000
    assert Signed(deep, b"", "").subjects == ()
    assert why_untrusted(IMAGE, [deep, Signed(deep, b"", "").to_bytes(), key.sign(IMAGE)], [public(key)]) == ""


def test_a_bundle_of_another_tool_whose_hint_is_its_own_is_tried_with_every_key(key):
    told = json.loads(key.sign(IMAGE))
    told["verificationMaterial"]["publicKey"]["hint"] = b64encode(b"theirs").decode()
    assert why_untrusted(IMAGE, [json.dumps(told).encode()], [public(key)]) == ""


def test_a_key_is_written_for_its_owner_alone_and_read_with_its_passphrase(tmp_path):
    private, shown = tmp_path / "k", tmp_path / "k.pub"
    make_key(private, shown, b"secret words")
    assert private.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in private.read_bytes()
    key = read_key(private, b"secret words")
    assert why_untrusted(IMAGE, [key.sign(IMAGE)], [read_public(shown)]) == ""
    assert "private" not in repr(key).lower().replace("privatekey", "")
    for wrong in (b"", b"other words"):
        with pytest.raises(Invalid, match="not opened by this passphrase"):
            read_key(private, wrong)


def test_a_key_is_never_overwritten(tmp_path):
    make_key(tmp_path / "k", tmp_path / "k.pub", b"")
    before = (tmp_path / "k").read_bytes()
    with pytest.raises(Conflict, match="exists"):
        make_key(tmp_path / "k", tmp_path / "other.pub", b"")
    with pytest.raises(Conflict, match="exists"):
        make_key(tmp_path / "other", tmp_path / "k.pub", b"")
    assert (tmp_path / "k").read_bytes() == before
    assert not (tmp_path / "other").exists()


def test_what_is_no_key_is_said_with_its_file(tmp_path):
    (tmp_path / "text").write_text("no key")
    other = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    (tmp_path / "rsa").write_bytes(other.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (tmp_path / "rsa.pub").write_bytes(other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    for read in (lambda name: read_key(tmp_path / name, b""), lambda name: read_public(tmp_path / name)):
        with pytest.raises(Invalid, match="text: it is no"):
            read("text")
        with pytest.raises(NotFound, match="cannot be read"):
            read("missing")
    with pytest.raises(Invalid, match="ECDSA key on P-256"):
        read_key(tmp_path / "rsa", b"")
    with pytest.raises(Invalid, match="ECDSA key on P-256"):
        read_public(tmp_path / "rsa.pub")
