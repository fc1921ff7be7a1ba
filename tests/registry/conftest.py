"""Real registries, each started once; every test has repositories of its own in them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lykeion.adapters.images.store import Store
from lykeion.adapters.images.trust import make_key
from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.http import Http
from lykeion.adapters.registry.push import push
from lykeion.core.images.oci import TAR, Layer, Settings, image
from lykeion.core.images.references import Reference, parse_reference
from lykeion.testing.registries import CNCF, DEBIAN, OLAREG, RealRegistry, registry_program


def needs(program: str) -> None:
    if registry_program(program) is None:
        pytest.skip(f"{program} is not installed (scripts/registry installs it)")


@pytest.fixture(scope="session", params=[DEBIAN, CNCF, OLAREG])
def server(request, tmp_path_factory) -> Iterator[RealRegistry]:
    """A registry that lets everybody in: Debian's, CNCF's, and one that lists referrers."""
    needs(request.param)
    with RealRegistry(tmp_path_factory.mktemp("registry"), request.param) as started:
        yield started


@pytest.fixture
def opened() -> Iterator[Callable[..., Registry]]:
    """`opened(host, login, ...)`: a registry whose connections end with the test."""
    registries: list[Registry] = []

    def opened(*given: Any, **named: Any) -> Registry:
        registries.append(Registry(Http(*given, **named)))
        return registries[-1]

    yield opened
    for one in registries:
        one.http.close()


@pytest.fixture
def registry(server, opened) -> Registry:
    return opened(server.host, pause=lambda _: None)


@pytest.fixture
def name() -> str:
    """A repository that nobody else uses."""
    return f"team/{uuid4().hex[:12]}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


@pytest.fixture
def push_one(store, registry, server, name) -> Callable[[str], Reference]:
    """`push_one(content)`: an image of one layer, which tag 1 names from then on; by its digest."""

    def push_one(content: str) -> Reference:
        blob = store.add([content.encode()], TAR)
        made = image([Layer(blob, blob.digest)], Settings())
        store.put_image(made, "made")
        return push(store, made, registry, parse_reference(f"{server.host}/{name}:1")).reference

    return push_one


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with two pairs, `mine` and `other`."""
    for one in ("mine", "other"):
        make_key(tmp_path / one, tmp_path / f"{one}.pub", b"")
    return tmp_path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """(certificate, key) of 127.0.0.1, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a registry")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"
