"""`lykeion image build | plan`: the image of a pipeline's components, or of a model's version."""

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lykeion.adapters.images.build import Built, PlannedLayer, build, plan
from lykeion.adapters.images.codecs import CODECS, codec_named
from lykeion.adapters.images.recipes import Recipe
from lykeion.adapters.images.workshop import Workshop
from lykeion.assembly import Platform, local
from lykeion.assembly_images import destination, required_destination, workshop
from lykeion.cli.files import pipeline_of
from lykeion.cli.image import registries
from lykeion.cli.printing import detail, emit, rows, say
from lykeion.core.images.locks import secrets, without_secrets
from lykeion.core.images.oci import Settings
from lykeion.core.images.references import Reference
from lykeion.daemons.planning import lock_of
from lykeion.errors import Invalid, Problem

if TYPE_CHECKING:
    from lykeion.adapters.registry.push import Pushed

ENDINGS = (".yaml", ".yml")


def arguments(parser: ArgumentParser, name: str) -> None:
    parser.add_argument("what", metavar="FILE.yaml|MODEL@VERSION", help="a pipeline file, or a version: photos@3, photos@stable")
    parser.add_argument("--base", default="", help="a base lock (lykeion image lock), or REGISTRY/IMAGE@DIGEST (default: Debian's Python)")
    parser.add_argument("--requirements", type=Path, help="requirements.lock, .in, uv.lock or pyproject.toml, in place of the pipeline's")
    parser.add_argument("--file", action="append", default=[], metavar="PATH", help="a further file of the pipeline's folder")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of its environment; never a secret")
    parser.add_argument("--entrypoint", metavar="COMMAND", help="what it runs in place of Lykeion, in the words of a shell")
    parser.add_argument("--codec", default="zstd", help=f"how layers are compressed: {', '.join(CODECS)} (default: zstd)")
    parser.add_argument(
        "--tag", default="", metavar="HOST/NAME:TAG", help="what it is called (default: below $LYKEION_REGISTRY, else a local name)"
    )
    if name == "build":
        parser.add_argument("--push", action="store_true", help="bring it to the registry")


def main(args: Namespace) -> int:
    codec = codec_named(args.codec)
    with local(args.home) as platform:
        shop = workshop(platform.home, lambda base: registries().pulled(platform.home, base), args.base)
        recipe = recipe_of(args, platform, shop)
        recipe = replace(recipe, settings=changed(recipe.settings, args.env, args.entrypoint))
        if args.action == "plan":
            return planned(args, recipe, plan(recipe, shop.store, codec))
        to = required_destination(recipe.name, args.tag) if args.push else destination(recipe.name, args.tag)
        built = build(recipe, shop.store, codec, detail, tag=str(to or recipe.name))
        pushed = registries().pushed(platform.home, built.image, to, detail) if args.push else None
        told(args, built, pushed)
    return 0


def recipe_of(args: Namespace, platform: Platform, shop: Workshop) -> Recipe:
    if not args.what.endswith(ENDINGS):
        if "@" not in args.what:
            remedy = f"{args.what}@stable, {args.what}@1, or a pipeline file that ends in .yaml"
            raise Invalid([Problem(f"{args.what!r} is neither a pipeline file nor a version", value=args.what, remedy=remedy)])
        version = platform.repository.resolve(args.what)
        folder = platform.repository.path(version.model, version.version, platform.home.cache / "models")
        return shop.serving(platform.repository.manifest(version.model, version.version), folder)
    file = Path(args.what)
    pipeline = pipeline_of(args.what)
    folder = file.resolve().parent
    lock, problems = lock_of(pipeline.spec, str(folder))
    if problems:
        raise Invalid(problems)
    references = [step.component for step in pipeline.spec.steps if step.component]
    signatures = platform.components.describe_all(str(folder), references, lock, runs_here=False)
    files = (file.name, *args.file, *([pipeline.spec.environment.requirements] if pipeline.spec.environment.requirements else []))
    return shop.training(f"{pipeline.name}:latest", folder, files, signatures, args.requirements or lock)


def changed(settings: Settings, variables: Sequence[str], entrypoint: str | None) -> Settings:
    """How an image is started, with what the user says instead. Raises Invalid with all that cannot be so."""
    problems = [problem for variable in variables for problem in faults(variable)]
    words = settings.entrypoint
    try:
        words = words if entrypoint is None else tuple(shlex.split(entrypoint))
    except ValueError as error:
        problems.append(Problem(f"it is no command: {error}", "--entrypoint", entrypoint, remedy="write it as in a shell"))
    if not words:
        problems.append(Problem("an image has to run something", "--entrypoint", entrypoint, remedy="name a program"))
    if problems:
        raise Invalid(problems)
    env = {**settings.env, **dict(variable.partition("=")[::2] for variable in variables)}
    return replace(settings, env=env, entrypoint=words, command=settings.command if entrypoint is None else ())


def faults(variable: str) -> list[Problem]:
    """Why this cannot stand in an image's environment."""
    name, equals, value = variable.partition("=")
    if not name or not equals:
        return [Problem(f"{variable!r} is no variable", "--env", variable, remedy="write NAME=VALUE")]
    if secrets(value, ""):
        remedy = "whoever has an image reads its environment; give it where the image is started"
        return [Problem(f"{name} holds a name or a password in a URL", "--env", without_secrets(variable), remedy=remedy)]
    return []


def planned(args: Namespace, recipe: Recipe, layers: list[PlannedLayer]) -> int:
    to = destination(recipe.name, args.tag)
    travels = [None] * len(layers) if to is None else bytes_that_travel(layers, to)
    shown = [
        {
            "kind": layer.kind,
            "title": layer.title,
            "cache": "hit" if layer.hit else "miss",
            "why": layer.why,
            "digest": layer.digest,
            "size": layer.size,
            "travels": travel,
        }
        for layer, travel in zip(layers, travels, strict=True)
    ]
    lines = ((one["kind"], one["title"], one["cache"], megabytes(one["size"]), megabytes(one["travels"]), one["why"]) for one in shown)
    emit(
        {"name": recipe.name, "to": str(to or ""), "layers": shown},
        args.output,
        rows(("LAYER", "WHAT", "CACHE", "MB", "MB TO SEND", "WHY"), lines, ""),
    )
    return 0


def bytes_that_travel(layers: list[PlannedLayer], to: Reference) -> list[int | None]:
    """None where it is not known before the layer is made."""
    with registries().registry(to.host) as there:
        return [0 if layer.digest and there.has_blob(to.repository, layer.digest) else layer.size for layer in layers]


def megabytes(size: Any) -> str:
    return "" if size is None else f"{size / 1e6:.2f}"


def told(args: Namespace, built: Built, pushed: "Pushed | None") -> None:
    for one in built.lacking:
        say(f"warning: {one}")
    sent = pushed.layers if pushed else [None] * len(built.image.layers)
    layers = [
        {
            "kind": layer.kind,
            "title": layer.title,
            "digest": layer.descriptor.digest,
            "size": layer.descriptor.size,
            "cache": "hit" if hit else "miss",
            "sent": how.bytes if how else None,
        }
        for layer, hit, how in zip(built.image.layers, built.hits, sent, strict=True)
    ]
    shown = {
        "name": built.name,
        "digest": built.image.digest,
        "reference": str(pushed.reference) if pushed else "",
        "layers": layers,
        "seconds": round(built.seconds, 3),
        "sent": pushed.bytes if pushed else None,
        "missing_libraries": [str(one) for one in built.lacking],
    }
    new = [layer for layer in layers if layer["cache"] == "miss"]
    size = sum(layer.descriptor.size for layer in built.image.layers)
    line = f"{built.name} {built.image.digest} ({size / 1e6:.1f} MB, {len(new)} of {len(layers)} layers new, {built.seconds:.1f} s)"
    emit(shown, args.output, line + (f"\npushed to {pushed.reference} ({pushed.bytes / 1e6:.2f} MB sent)" if pushed else ""))
