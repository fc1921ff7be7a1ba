"""What is signed of an image, and whether what is found vouches for it. Pure: keys and curves are elsewhere (adapters.images.trust).

A signature is a sigstore bundle 0.3 that holds a DSSE envelope around an in-toto statement whose subject is the image's digest, with
cosign's own predicate type; it is attached to the image as a referrer. Sources: sigstore's protobuf-specs (sigstore_bundle.proto), DSSE
protocol (https://github.com/secure-systems-lab/dsse), in-toto attestation statement v1.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lykeion.core.content import canonical, read_json
from lykeion.errors import Corrupt

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://sigstore.dev/cosign/sign/v1"
ANNOTATIONS = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": PREDICATE}


@dataclass(frozen=True, slots=True)
class Signed:
    """What a bundle holds. `hint` names the key: the digest of its public half, so that it need not be tried with every key."""

    payload: bytes
    signature: bytes
    hint: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """The digests that it vouches for; none where it says something else than that an image is signed."""
        try:
            told = read_json(self.payload)
            if told["_type"] != STATEMENT or told["predicateType"] != PREDICATE:
                return ()
            return tuple(f"sha256:{one['digest']['sha256']}" for one in told["subject"])
        except (ValueError, KeyError, TypeError):
            return ()

    @property
    def message(self) -> bytes:
        """What the key has signed: DSSE's pre-authentication encoding, so that a payload cannot be taken for one of another type."""
        kind = PAYLOAD.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def to_bytes(self) -> bytes:
        envelope = {
            "payload": b64encode(self.payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": b64encode(self.signature).decode()}],
        }
        material = {"publicKey": {"hint": self.hint}, "tlogEntries": []}
        return canonical({"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope})

    @staticmethod
    def from_bytes(data: bytes) -> "Signed":
        """Raises Corrupt where it is no bundle that holds one signature by a key."""
        try:
            told = read_json(data)
            envelope = told["dsseEnvelope"]
            (signature,) = envelope["signatures"]
            if told["mediaType"] != BUNDLE or envelope["payloadType"] != PAYLOAD:
                raise Corrupt(f"it is {told['mediaType']} with {envelope['payloadType']}, not a signature of an image")
            hint = str(told["verificationMaterial"]["publicKey"]["hint"])
            return Signed(b64decode(envelope["payload"], validate=True), b64decode(signature["sig"], validate=True), hint)
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"it is no sigstore bundle with one signature: {error!r}") from error


def statement(digest: str) -> bytes:
    """What is signed of an image."""
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    return canonical({"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": {}})


def why_not_trusted(digest: str, bundles: Sequence[bytes], vouches: Callable[[Signed], bool]) -> str:
    """Why an image is not to be trusted; "" where one bundle vouches for it. `vouches`: whether a trusted key has made a signature.

    A bundle for another image, a damaged one or one of an unknown key is no reason against an image that another one vouches for.
    """
    reasons: list[str] = []
    for data in bundles:
        try:
            signed = Signed.from_bytes(data)
        except Corrupt as error:
            reasons.append(str(error))
            continue
        if not vouches(signed):
            reasons.append("a signature is of no trusted key, or what it signs was changed")
        elif digest not in signed.subjects:
            reasons.append(f"a signature vouches for {', '.join(signed.subjects) or 'no image'}")
        else:
            return ""
    return "; ".join(dict.fromkeys(reasons)) or "nobody has signed it"
