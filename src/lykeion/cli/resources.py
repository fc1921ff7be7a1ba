"""`lykeion apply | get | describe | delete`: resources as they are kept."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lykeion.assembly import Platform, local
from lykeion.cli.files import read_resources
from lykeion.cli.printing import Table, age, emit, rows, say
from lykeion.core.resources import KINDS, Pipeline, Resource, Serving, Training
from lykeion.core.resources.changes import check_change
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.suggest import did_you_mean
from lykeion.core.resources.training import OVER
from lykeion.core.values import Ref
from lykeion.errors import Corrupt, Invalid, NotFound, Problem
from lykeion.ports import Resources

ALIASES = {alias: kind for kind in KINDS for alias in (kind.lower(), f"{kind.lower()}s")}


def arguments(parser: ArgumentParser, command: str) -> None:
    if command == "apply":
        parser.add_argument("files", nargs="*", metavar="FILE", help="a YAML file, a folder of them, or -")
        parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="the same, as others write it")
        return
    what = "all" if command == "get" else "one"
    parser.add_argument("kind", help=f"pipelines, trainings or servings ({what}); or KIND/NAME")
    parser.add_argument("name", nargs="*" if command != "describe" else "?", help="which")


def main(args: Namespace) -> int:
    with local(args.home) as platform:
        if args.command in ("get", "describe"):
            return {"get": get, "describe": describe}[args.command](args, platform)
        return {"apply": apply, "delete": delete}[args.command](args, platform.resources)


def apply(args: Namespace, resources: Resources) -> int:
    """Everything is checked before anything is written."""
    named = [*args.files, *args.filename]
    if not named:
        raise Invalid([Problem("say which file", remedy="lykeion apply FILE …")])
    written = []
    found = [(resource, there(resources, resource)) for resource in read_resources(named)]
    refuse(found)
    for resource, before in found:
        after = resources.apply(resource)
        change = "created" if before is None else "unchanged" if before.metadata.generation == after.metadata.generation else "configured"
        written.append({"kind": after.kind, "name": after.name, "change": change})
    emit(written, args.output, "\n".join(f"{one['kind'].lower()}/{one['name']} {one['change']}" for one in written))
    return 0


def there(resources: Resources, resource: Resource) -> Resource | None:
    """What is kept under the same name already."""
    try:
        return resources.get(resource.kind, resource.name)
    except NotFound:
        return None


def refuse(found: list[tuple[Resource, Resource | None]]) -> None:
    """Raises Invalid with everything that may not be changed as it is asked for."""
    problems: list[Problem] = []
    for resource, before in found:
        try:
            if before is not None:
                check_change(before, resource)
        except Invalid as error:
            problems += (replace(problem, file=resource.metadata.annotations.get(SOURCE_FILE, "")) for problem in error.problems)
    if problems:
        raise Invalid(problems)


def kind_and_names(args: Namespace) -> tuple[str, list[str]]:
    """`pipelines`, `pipeline NAME …` or `pipeline/NAME`."""
    word, _, name = args.kind.partition("/")
    kind = ALIASES.get(word.lower())
    if kind is None:
        raise Invalid([Problem(f"there is no kind {word!r}", remedy=did_you_mean(word, ALIASES) or f"one of {', '.join(sorted(ALIASES))}")])
    given = args.name if isinstance(args.name, list) else [args.name] if args.name else []
    return kind, list(dict.fromkeys([name, *given] if name else given))


def get(args: Namespace, platform: Platform) -> int:
    kind, names = kind_and_names(args)
    resources = platform.resources
    found = [resources.get(kind, name) for name in names] if names else list(resources.list(kind, lambda wrong: say(str(wrong))))
    shown: Any = found[0].to_dict() if len(names) == 1 else [resource.to_dict() for resource in found]
    emit(shown, args.output, listing(kind, found, platform.why_idle))
    return 0


def listing(kind: str, found: list[Resource], why_idle: Callable[[str], str]) -> Table | str:
    headings = {
        "Pipeline": ("NAME", "STEPS", "PUBLISHES", "AGE"),
        "Training": ("NAME", "PHASE", "STEPS", "CACHED", "PUBLISHED", "AGE"),
        "Serving": ("NAME", "READY", "REASON", "SERVES", "URL", "AGE"),
    }[kind]
    empty = {"Pipeline": "no pipelines yet: `lykeion apply FILE`", "Training": "no trainings yet: `lykeion run FILE`"}
    return rows(
        headings, (cells(resource, why_idle) for resource in found), empty.get(kind, "no servings yet: publish a model with `deploy`")
    )


def cells(resource: Resource, why_idle: Callable[[str], str]) -> tuple[object, ...]:
    old = age(resource.metadata.creation_timestamp)
    if isinstance(resource, Pipeline):
        return resource.name, len(resource.spec.steps), ", ".join(one.model for one in resource.spec.publish), old
    if isinstance(resource, Training):
        status = resource.status
        has_failed = any(step.phase == "Failed" for step in status.steps)
        wanted = [step for step in status.steps if has_failed or step.phase != "Skipped"]  # without a failure, a skipped one was not needed
        done = sum(step.phase in ("Succeeded", "Cached") for step in wanted)
        cached = sum(step.phase == "Cached" for step in status.steps)
        published = ", ".join(f"{one.model}@{one.version}" for one in status.published)
        idle = "" if status.phase in OVER else why_idle(resource.name).partition(":")[0]
        phase = f"{status.phase}; {idle}" if idle else status.phase
        return resource.name, phase, f"{done}/{len(wanted)}", cached, published, old
    assert isinstance(resource, Serving)
    ready = next((condition for condition in resource.status.conditions if condition.type == "Ready"), None)
    told = (ready.status, ready.reason) if ready else ("Unknown", "Pending")
    return resource.name, *told, ", ".join(resource.status.serving), resource.status.url, old


def describe(args: Namespace, platform: Platform) -> int:
    kind, names = kind_and_names(args)
    resources = platform.resources
    if not names:
        raise Invalid([Problem("say which one", remedy=f"lykeion describe {args.kind} NAME")])
    resource = resources.get(kind, names[0])
    events = resources.events(Ref(kind, resource.name))
    told = [
        {"lastSeen": at.isoformat(), "count": count, "type": event.type, "reason": event.reason, "message": event.message}
        for at, count, event in events
    ]
    shown: dict[str, Any] = {"resource": resource.to_dict(), "events": told}
    idle = ""
    if isinstance(resource, Training) and resource.status.phase not in OVER:
        idle = platform.why_idle(resource.name)
        shown |= {"driven": not idle, "whyNotDriven": idle}
    emit(shown, args.output)
    if args.output == "table":
        emit(resource.to_dict(), "yaml")
        lines = ((age(at), n, e.type, e.reason, e.message) for at, n, e in events)
        emit(None, "table", rows(("LAST SEEN", "COUNT", "TYPE", "REASON", "MESSAGE"), lines, "no events"))
        if idle:
            emit(None, "table", f"{resource.name}: {idle}")
    return 0


def delete(args: Namespace, resources: Resources) -> int:
    kind, names = kind_and_names(args)
    if not names:
        raise Invalid([Problem("say which ones", remedy=f"lykeion delete {args.kind} NAME …")])
    for name in names:
        with suppress(Corrupt):  # what cannot be read can be let go of
            resources.get(kind, name)  # all of them exist, or nothing is deleted
    for name in names:
        resources.delete(kind, name)
    emit(
        [{"kind": kind, "name": name, "change": "deleted"} for name in names],
        args.output,
        "\n".join(f"{kind.lower()}/{n} deleted" for n in names),
    )
    return 0
