"""`lykeion image list | show | push | pull | save | rm | gc`: images that are here, and on their way to registries and back."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lykeion.adapters.images.archive import save
from lykeion.adapters.images.caches import sweep
from lykeion.adapters.images.store import Store
from lykeion.adapters.local.home import Home
from lykeion.assembly_images import image_store, required_destination
from lykeion.cli.image import registries
from lykeion.cli.printing import detail, emit, rows, say
from lykeion.core.images.oci import Image, start_of
from lykeion.core.images.references import parse_reference
from lykeion.errors import Corrupt, NotFound

DAYS = 7.0


def arguments(parser: ArgumentParser, name: str) -> None:
    if name in ("show", "push", "save", "rm"):
        parser.add_argument("image", help="its name or digest, as `lykeion image list` says it")
    if name == "pull":
        parser.add_argument("image", metavar="HOST/NAME[:TAG][@DIGEST]")
    if name == "push":
        parser.add_argument("--tag", default="", metavar="HOST/NAME:TAG", help="where to (default: its name, or below $LYKEION_REGISTRY)")
    if name == "save":
        parser.add_argument("--to", type=Path, required=True, metavar="FILE.tar")
    if name == "gc":
        parser.add_argument("--older-than", type=float, default=DAYS, metavar="DAYS", help=f"unused for so long (default: {DAYS:g})")
        parser.add_argument("--dry-run", action="store_true", help="say what would go")


def main(args: Namespace) -> int:
    home = Home.chosen(args.home)
    actions = {"list": listing, "show": show, "push": pushing, "pull": pulling, "save": saving, "rm": remove, "gc": collect}
    actions[args.action](args, home, image_store(home))
    return 0


def size_of(image: Image) -> int:
    return sum(layer.descriptor.size for layer in image.layers)


def listing(args: Namespace, _: Home, store: Store) -> None:
    """One that is damaged is listed with what is wrong, and keeps no other from being listed."""
    shown: list[dict[str, Any]] = []
    for name, descriptor in sorted(store.tags().items()):
        told: dict[str, Any] = {"name": name, "digest": descriptor.digest}
        try:
            image = store.image(name)
            shown.append({**told, "layers": len(image.layers), "size": size_of(image)})
        except (Corrupt, NotFound) as error:
            say(f"{name}: {error}")
            shown.append({**told, "layers": None, "size": None})
    lines = ((one["name"], one["digest"][:19], one["layers"], megabytes(one["size"])) for one in shown)
    emit(shown, args.output, rows(("NAME", "DIGEST", "LAYERS", "MB"), lines, "no images yet: lykeion image build"))


def megabytes(size: int | None) -> str:
    return "damaged" if size is None else f"{size / 1e6:.1f}"


def show(args: Namespace, _: Home, store: Store) -> None:
    image = store.image(args.image)
    layers = [
        {"kind": layer.kind, "title": layer.title, "digest": layer.descriptor.digest, "size": layer.descriptor.size}
        for layer in image.layers
    ]
    emit({"digest": image.digest, "layers": layers, "config": start_of(image.config)}, "yaml" if args.output == "table" else args.output)


def pushing(args: Namespace, home: Home, store: Store) -> None:
    image = store.image(args.image)
    to = required_destination(args.image, args.tag or (args.image if "/" in args.image else ""))
    done = registries().pushed(home, image, to, detail)
    emit({"reference": str(done.reference), "sent": done.bytes}, args.output, f"{done.reference} ({done.bytes / 1e6:.2f} MB sent)")


def pulling(args: Namespace, home: Home, _: Store) -> None:
    reference = parse_reference(args.image)
    image = registries().pulled(home, reference, detail)
    emit({"name": str(reference), "digest": image.digest}, args.output, f"{reference} {image.digest}")


def saving(args: Namespace, _: Home, store: Store) -> None:
    size = save(store, args.image, args.to)
    emit({"file": str(args.to), "size": size}, args.output, f"{args.to} ({size / 1e6:.1f} MB); podman load -i {args.to}")


def remove(args: Namespace, _: Home, store: Store) -> None:
    store.untag(args.image)
    emit(
        {"name": args.image, "change": "removed"},
        args.output,
        f"{args.image} is no name of an image any more; its layers go with: lykeion image gc",
    )


def collect(args: Namespace, home: Home, store: Store) -> None:
    age, now = timedelta(days=args.older_than), datetime.now(UTC)
    swept = store.collect(age, now, args.dry_run)
    cached = sweep(home.cache / "images", age, now, args.dry_run)
    said = f"{'would free' if args.dry_run else 'freed'} {swept.bytes / 1e6:.1f} MB in {len(swept.blobs)} blobs"
    said += f", and {cached / 1e6:.1f} MB of what layers were made of"
    emit({"blobs": swept.blobs, "bytes": swept.bytes, "cached_bytes": cached, "dry_run": args.dry_run}, args.output, said)
