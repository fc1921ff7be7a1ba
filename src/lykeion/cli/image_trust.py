"""`lykeion image keygen | sign | verify | sbom`: who vouches for an image, and what is in it."""

import os
import sys
from argparse import ArgumentParser, Namespace
from getpass import getpass
from pathlib import Path

from lykeion.adapters.images.trust import hint_of, make_key, read_key, read_public, why_untrusted
from lykeion.adapters.local.home import Home
from lykeion.adapters.registry.attached import TRUST, attach, attached
from lykeion.adapters.registry.client import Registry
from lykeion.assembly_images import image_store
from lykeion.assembly_registries import registry
from lykeion.cli.printing import ESCAPED, emit
from lykeion.core.images.references import Reference, parse_reference
from lykeion.core.images.sbom import MEDIA_TYPE
from lykeion.core.images.signature import ANNOTATIONS, BUNDLE
from lykeion.errors import Corrupt, Invalid, NotFound, Problem

PASSPHRASE = "LYKEION_KEY_PASSPHRASE"
KEY = "lykeion.key"


def arguments(parser: ArgumentParser, name: str) -> None:
    if name == "keygen":
        parser.add_argument(
            "--to", type=Path, default=Path(KEY), metavar="FILE", help=f"the private key; the public one is FILE.pub ({KEY})"
        )
        return
    parser.add_argument("image", metavar="HOST/NAME[:TAG][@DIGEST]" if name != "sbom" else "IMAGE", help="an image in a registry")
    if name == "sign":
        parser.add_argument("--key", type=Path, default=Path(KEY), help=f"a private key (default: {KEY})")
    if name == "verify":
        parser.add_argument("--key", type=Path, action="append", help=f"a public key; repeated: one must fit (default: ${TRUST})")
    if name == "sbom":
        parser.add_argument("--attach", default="", metavar="HOST/NAME:TAG", help="put it beside the image in this registry")


def main(args: Namespace) -> int:
    {"keygen": keygen, "sign": sign, "verify": verify, "sbom": show_sbom}[args.action](args)
    return 0


def passphrase() -> bytes:
    """$LYKEION_KEY_PASSPHRASE, else what a person types; nothing where nobody sits there."""
    if PASSPHRASE in os.environ:
        return os.environ[PASSPHRASE].encode()
    return getpass("passphrase of the key (empty: none): ").encode() if sys.stdin.isatty() else b""


def keygen(args: Namespace) -> None:
    public = args.to.with_name(f"{args.to.name}.pub")
    make_key(args.to, public, passphrase())
    shown = {"key": str(args.to), "public": str(public), "hint": hint_of(read_public(public))}
    emit(shown, args.output, f"{args.to} signs images and is to be kept secret; {public} is for those who verify them")


def sign(args: Namespace) -> None:
    key = read_key(args.key, passphrase())
    reference = parse_reference(args.image)
    with registry(reference.host) as there:
        image = as_it_is(there, reference)
        attach(there, image, BUNDLE, key.sign(image.digest), ANNOTATIONS)
    emit({"image": str(image)}, args.output, f"{image} is signed")


def verify(args: Namespace) -> None:
    """Raises Corrupt where nobody who is trusted vouches for it."""
    files = args.key or [Path(name) for name in os.environ.get(TRUST, "").split(":") if name]
    if not files:
        raise Invalid([Problem("it is not said whom to trust", field="--key", remedy=f"--key {KEY}.pub, or set {TRUST}")])
    keys = [read_public(file) for file in files]
    reference = parse_reference(args.image)
    with registry(reference.host) as there:
        image = as_it_is(there, reference)
        why = why_untrusted(image.digest, attached(there, image, BUNDLE), keys)
    if why:
        raise Corrupt(f"{image}: {why}")
    emit({"image": str(image)}, args.output, f"{image} is signed by a key that is trusted")


def show_sbom(args: Namespace) -> None:
    store = image_store(Home.chosen(args.home))
    document = store.description(store.image(args.image).digest)
    if args.attach:
        reference = parse_reference(args.attach)
        with registry(reference.host) as there:
            attach(there, as_it_is(there, reference), MEDIA_TYPE, document)
    print(document.decode().translate(ESCAPED))


def as_it_is(there: Registry, reference: Reference) -> Reference:
    """The image by its digest, whatever its tag names later. Raises NotFound."""
    digest = reference.digest or there.digest(reference.repository, reference.wanted)
    if digest is None:
        raise NotFound(f"{reference.host} has no {reference}; push it first")
    return reference.at(digest)
