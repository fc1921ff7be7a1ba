"""Keys that sign images: ECDSA on P-256 with SHA-256, in PEM, as cosign has them."""

import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lykeion.core.images.signature import Signed, statement, why_not_trusted
from lykeion.errors import Conflict, Invalid, NotFound, Problem

ALGORITHM = ec.ECDSA(hashes.SHA256())
PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Key:
    """A private key. Its `repr` shows nothing of it."""

    private: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Key({hint_of(self.private.public_key())})"

    def sign(self, digest: str) -> bytes:
        """The bundle that vouches for an image."""
        unsigned = Signed(statement(digest), b"", hint_of(self.private.public_key()))
        return Signed(unsigned.payload, self.private.sign(unsigned.message, ALGORITHM), unsigned.hint).to_bytes()


def hint_of(public: ec.EllipticCurvePublicKey) -> str:
    """The digest of a public key, as bundles name it."""
    encoded = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(encoded).digest()).decode()


def make_key(private_file: Path, public_file: Path, passphrase: bytes) -> None:
    """Write a new pair. b"": it is not encrypted. Raises Conflict where a file is there: a key that was overwritten is lost."""
    for file in (private_file, public_file):
        if file.exists():
            raise Conflict(f"{file} exists; name another, or take it away yourself")
    key = ec.generate_private_key(ec.SECP256R1())
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    handle = os.open(private_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
    with os.fdopen(handle, "wb") as opened:
        opened.write(private)
    public_file.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


def read_key(file: Path, passphrase: bytes) -> Key:
    """Raises NotFound; Invalid where it is no key, or the passphrase does not open it."""
    try:
        found = serialization.load_pem_private_key(read(file), passphrase or None)
    except (ValueError, TypeError) as error:
        remedy = "give the right passphrase in LYKEION_KEY_PASSPHRASE, and the file that `lykeion image keygen` made"
        raise Invalid([Problem("it is no private key, or is not opened by this passphrase", file=str(file), remedy=remedy)]) from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise Invalid([Problem("it is no ECDSA key on P-256", file=str(file), remedy="make one with lykeion image keygen")])
    return Key(found)


def read_public(file: Path) -> ec.EllipticCurvePublicKey:
    """Raises NotFound; Invalid where it is no key."""
    try:
        found = serialization.load_pem_public_key(read(file))
    except ValueError as error:
        raise Invalid([Problem("it is no public key in PEM", file=str(file), remedy="name the .pub file of a key")]) from error
    if not isinstance(found, ec.EllipticCurvePublicKey) or not isinstance(found.curve, ec.SECP256R1):
        raise Invalid([Problem("it is no ECDSA key on P-256", file=str(file), remedy="make one with lykeion image keygen")])
    return found


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"the key {file} cannot be read: {error.strerror}") from error


def why_untrusted(digest: str, bundles: Sequence[bytes], keys: Sequence[ec.EllipticCurvePublicKey]) -> str:
    """Why none of `bundles` vouches for an image by one of `keys`; "" where one does."""
    named = {hint_of(key): key for key in keys}

    def vouches(signed: Signed) -> bool:
        tried = [named[signed.hint]] if signed.hint in named else named.values()  # other tools' hints are theirs
        return any(made_by(key, signed) for key in tried)

    return why_not_trusted(digest, bundles, vouches)


def made_by(key: ec.EllipticCurvePublicKey, signed: Signed) -> bool:
    try:
        key.verify(signed.signature, signed.message, ALGORITHM)
    except InvalidSignature:
        return False
    return True
