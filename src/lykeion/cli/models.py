"""`lykeion models list | show | alias | rollback | rm | prune | verify`: the model repository."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from dataclasses import asdict
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from lykeion.assembly import local
from lykeion.cli.common import Late, common_arguments
from lykeion.cli.printing import emit, rows
from lykeion.errors import Corrupt, Invalid, Problem
from lykeion.repository import Repository


def arguments(parser: ArgumentParser, _: str) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Late)
    common = Late(add_help=False, argument_default=SUPPRESS)  # said after the action too, where it does not undo what was before
    common_arguments(common)
    add = partial(actions.add_parser, parents=[common])
    listed = add("list", help="all models, or all versions of one")
    listed.add_argument("model", nargs="?")
    show = add("show", help="one version: files, metrics, lineage")
    show.add_argument("version", metavar="MODEL[@VERSION|@ALIAS]")
    alias = add("alias", help="move an alias to a version, or show where it was")
    alias.add_argument("version", metavar="MODEL@VERSION", help="MODEL@VERSION to move it; MODEL to show its history")
    alias.add_argument("name", help="the alias, for instance stable")
    rollback = add("rollback", help="move an alias back to the version it named before")
    rollback.add_argument("model")
    rollback.add_argument("name", nargs="?", default="stable", help="the alias (default: stable)")
    remove = add("rm", help="remove a version that no alias names")
    remove.add_argument("version", metavar="MODEL@VERSION")
    remove.add_argument("--force", action="store_true", help="even if an alias names it")
    add("prune", help="remove old versions that nothing needs, and say why the others stay", fill=lambda late: pruning().arguments(late))
    verify = add("verify", help="compare every file of a version (or of all) with its digest")
    verify.add_argument("version", nargs="?", metavar="MODEL[@VERSION]")


def main(args: Namespace) -> int:
    actions = {"list": listing, "show": show, "alias": alias, "rollback": rollback, "rm": remove, "verify": verify}
    action = actions.get(args.action)
    with local(args.home) as platform:
        return int(pruning().prune(args, platform)) if action is None else action(args, platform.repository)


def pruning() -> ModuleType:
    """What prunes, loaded when it is asked for: it reads rows, as `gc` does."""
    return import_module("lykeion.cli.models_prune")


def listing(args: Namespace, repository: Repository) -> int:
    if args.model:
        return versions(args, repository)
    found = [(model, repository.versions(model), repository.aliases(model)) for model in repository.models()]
    lines = ((model, len(numbers), max(numbers), named(aliases)) for model, numbers, aliases in found)
    shown = [{"model": model, "versions": numbers, "aliases": aliases} for model, numbers, aliases in found]
    emit(shown, args.output, rows(("MODEL", "VERSIONS", "NEWEST", "ALIASES"), lines, "no models yet: a pipeline with `publish` makes one"))
    return 0


def named(aliases: dict[str, int]) -> str:
    return ", ".join(f"{name} → {version}" for name, version in sorted(aliases.items()))


def versions(args: Namespace, repository: Repository) -> int:
    aliases = repository.aliases(args.model)
    manifests = [repository.manifest(args.model, number) for number in repository.versions(args.model)]
    lines = (
        (
            one.version,
            ", ".join(name for name, version in aliases.items() if version == one.version),
            f"{sum(file.size for file in one.files) / 1e6:.1f} MB",
            " ".join(f"{name}={value:.4g}" for name, value in sorted(one.metrics.items())[:4]),
            one.created,
        )
        for one in manifests
    )
    emit(
        [asdict(one) for one in manifests],
        args.output,
        rows(("VERSION", "ALIASES", "SIZE", "METRICS", "CREATED"), lines, f"{args.model} has no versions"),
    )
    return 0


def selected(repository: Repository, text: str) -> tuple[str, int]:
    """MODEL@VERSION, MODEL@ALIAS, or MODEL for its newest version."""
    model, at, _ = text.partition("@")
    if at:
        found = repository.resolve(text)
        return found.model, found.version
    numbers = repository.versions(model)
    if not numbers:
        repository.resolve(f"{model}@1")  # raises NotFound with the nearest names
    return model, max(numbers)


def show(args: Namespace, repository: Repository) -> int:
    model, number = selected(repository, args.version)
    record = repository.images(model).last(number)
    shown: dict[str, Any] = {**asdict(repository.manifest(model, number)), "image": record.to_json() if record else None}
    emit(shown, "yaml" if args.output == "table" else args.output)
    return 0


def alias(args: Namespace, repository: Repository) -> int:
    model, at, _ = args.version.partition("@")
    if at:
        _, number = selected(repository, args.version)
        repository.move_alias(model, args.name, number, reason="by hand")
        emit({"model": model, "alias": args.name, "version": number}, args.output, f"{model}@{args.name} now names version {number}")
        return 0
    moves = [asdict(move) for move in repository.history(model, args.name)]
    emit(
        moves,
        args.output,
        rows(("N", "VERSION", "WHEN", "WHY"), ((m["n"], m["version"], m["at"], m["reason"]) for m in moves), "no such alias"),
    )
    return 0


def rollback(args: Namespace, repository: Repository) -> int:
    number = repository.rollback(args.model, args.name)
    emit({"model": args.model, "alias": args.name, "version": number}, args.output, f"{args.model}@{args.name} is back at version {number}")
    return 0


def remove(args: Namespace, repository: Repository) -> int:
    if "@" not in args.version:
        raise Invalid([Problem("say which version", value=args.version, remedy=f"lykeion models rm {args.version}@NUMBER")])
    model, number = selected(repository, args.version)
    repository.remove(model, number, force=args.force)
    emit({"model": model, "version": number, "change": "removed"}, args.output, f"{model} version {number} removed")
    return 0


def verify(args: Namespace, repository: Repository) -> int:
    """Exit code 6 where anything is not as its digest says."""
    if args.version:
        chosen = [selected(repository, args.version)]
    else:
        chosen = [(model, number) for model in repository.models() for number in repository.versions(model)]
    findings = [
        {"model": model, "version": number, "problem": str(found)} for model, number in chosen for found in repository.verify(model, number)
    ]
    emit(
        findings,
        args.output,
        rows(
            ("MODEL", "VERSION", "PROBLEM"), (tuple(one.values()) for one in findings), f"{len(chosen)} versions are as they were published"
        ),
    )
    return Corrupt.exit_code if findings else 0
