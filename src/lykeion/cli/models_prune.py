"""`lykeion models prune`: let go of versions that nothing needs; what stays is said with the reason."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from contextlib import suppress

from lykeion.adapters.local.collector import PIN
from lykeion.assembly import Platform
from lykeion.cli.gc import how_many, megabytes, time_of
from lykeion.cli.printing import emit, rows
from lykeion.core.models.names import did_you_mean
from lykeion.core.models.retention import Retention
from lykeion.core.resources import Serving, Training
from lykeion.core.serving.names import space_model
from lykeion.errors import Corrupt, NotFound
from lykeion.ports import refuse

KEEP = 5
Needs = dict[int, str]  # version -> why it stays


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", help="one model (default: all)")
    parser.add_argument("--keep", type=int, default=KEEP, metavar="N", help=f"keep the newest N versions of each model (default: {KEEP})")
    parser.add_argument("--older-than", default="0s", metavar="TIME", help="keep whatever is younger (default: 0s)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go, and why the rest stays")


def prune(args: Namespace, platform: Platform) -> int:
    keep = Retention(how_many(args.keep), time_of(args.older_than))
    there = platform.repository.models()
    if args.model and args.model not in there:
        raise NotFound(f"there is no model {args.model}{did_you_mean(args.model, there)}")
    asked_for = named(platform)
    gone: list[tuple[str, int, int]] = []
    stay: list[tuple[str, int, str]] = []
    for model in families_first(there):
        needs = asked_for.setdefault(model, {}) | aliased(platform, model)
        versions = platform.repository.versions(model)
        sizes = {number: size(platform, model, number) for number in versions}
        chosen = args.model in (None, model)
        going = platform.repository.prune(model, keep, pinned=needs.keys(), dry_run=args.dry_run) if chosen else []
        gone += [(model, number, sizes[number]) for number in going]
        staying = [number for number in versions if number not in going]
        newest = staying[-keep.recent :] if keep.recent else []
        if chosen:
            otherwise = {number: f"one of the {keep.recent} newest" if number in newest else "too young" for number in staying}
            stay += [(model, number, needs.get(number, otherwise[number])) for number in staying]
        for number, why in spaces(platform, model, staying):
            asked_for.setdefault(space_model(model), {}).setdefault(number, why)
    tell(args, gone, stay)
    return 0


def tell(args: Namespace, gone: list[tuple[str, int, int]], stay: list[tuple[str, int, str]]) -> None:
    shown = {
        "dryRun": args.dry_run,
        "removed": [{"model": model, "version": number, "bytes": freed} for model, number, freed in gone],
        "kept": [{"model": model, "version": number, "why": why} for model, number, why in stay],
        "bytes": sum(freed for _, _, freed in gone),
    }
    word = "WOULD GO" if args.dry_run else "GONE"
    lines = [(word, model, number, megabytes(freed)) for model, number, freed in gone]
    lines += [("STAYS", model, number, why) for model, number, why in stay]
    emit(shown, args.output, rows(("", "MODEL", "VERSION", ""), lines, "no models yet: a pipeline with `publish` makes one"))


def families_first(models: Iterable[str]) -> list[str]:
    """A space after the family that is searched in it: which spaces are needed follows from which indexes stay."""
    return sorted(models, key=lambda model: (model.endswith(space_model("")), model))


def named(platform: Platform) -> dict[str, Needs]:
    """What Servings answer with, and what pinned Trainings published."""
    found: dict[str, Needs] = {}
    for serving in platform.resources.list("Serving", refuse):
        assert isinstance(serving, Serving)
        for selector in serving.status.serving:
            model, _, number = selector.partition("@")
            found.setdefault(model, {})[int(number)] = f"Serving {serving.name} answers with it"
    for training in platform.resources.list("Training", refuse):
        assert isinstance(training, Training)
        if training.metadata.annotations.get(PIN) == "true":
            for one in training.status.published:
                found.setdefault(one.model, {})[one.version] = f"Training {training.name}, which made it, is pinned"
    return found


def aliased(platform: Platform, model: str) -> Needs:
    aliases: Mapping[str, int] = platform.repository.aliases(model)
    return {number: f"{model}@{alias} names it" for alias, number in aliases.items()}


def spaces(platform: Platform, model: str, versions: Iterable[int]) -> Iterable[tuple[int, str]]:
    """The versions of the model's space that these versions cannot be served without."""
    for number in versions:
        with suppress(Corrupt, NotFound):
            if generation := platform.repository.manifest(model, number).metadata.get("generation"):
                yield platform.repository.resolve(f"{space_model(model)}@{generation}").version, f"{model}@{number} was built in it"


def size(platform: Platform, model: str, number: int) -> int:
    """Bytes of a version's files; nothing for one whose manifest is damaged."""
    with suppress(Corrupt, NotFound):
        return platform.repository.manifest(model, number).size
    return 0
