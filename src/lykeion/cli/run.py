"""`lykeion run FILE`: apply a pipeline, run it once, wait, and say what came of it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

from lykeion.adapters.local.home import CLOSE_IT
from lykeion.assembly import Platform, local
from lykeion.cli.alone import needed_by, run_alone
from lykeion.cli.driving import wait_for
from lykeion.cli.files import pipeline_to_run
from lykeion.cli.follow import Progress
from lykeion.cli.printing import counted, emit, say, span
from lykeion.cli.quarantine import set_aside, summary
from lykeion.components.quarantine import Reason
from lykeion.core.pipelines.names import training_name
from lykeion.core.resources import Metadata, PipelineRef, Training, TrainingSpec
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.errors import Conflict, Corrupt, Invalid, NotFound, Unavailable


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("file", help="a file with one Pipeline")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the pipeline")
    parser.add_argument(
        "--step", metavar="NAME", help="run what NAME needs, then NAME alone in this process (for a debugger); nothing is kept"
    )
    parser.add_argument("--no-cache", action="store_true", help="run every step, cached or not; what it makes is cached anew")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="run only this step and what it needs")
    run_options(parser)


def run_options(parser: ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="return at once; `lykeion up` runs it")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")


def main(args: Namespace) -> int:
    with local(args.home) as platform:
        if exposure := platform.home.exposure:
            say(f"lykeion run: {exposure}; {CLOSE_IT}")
        named = (*args.only, args.step) if args.step else tuple(args.only)
        pipeline, parameters = pipeline_to_run(args.file, args.parameter, platform.components, platform.containers, named)
        platform.resources.apply(pipeline)
        if args.step:
            return alone(platform, pipeline.name, parameters, args)
        return finish(platform, create(platform, pipeline.name, parameters, named, args.file, refresh=args.no_cache).name, args)


def create(
    platform: Platform, pipeline: str, parameters: dict[str, Any], only: tuple[str, ...], file: str, *, refresh: bool = False
) -> Training:
    """A new Training of a pipeline under the next free name."""
    cache: Literal["Use", "Refresh"] = "Refresh" if refresh else "Use"
    spec = TrainingSpec(pipeline_ref=PipelineRef(name=pipeline), parameters=parameters, steps=only, cache=cache)
    annotations = {SOURCE_FILE: str(Path(file).resolve())}
    return create_next(platform, lambda taken: training_name(pipeline, taken), spec, annotations)


def create_next(
    platform: Platform,
    name: Callable[[Collection[str]], str],
    spec: TrainingSpec,
    annotations: dict[str, str],
    labels: dict[str, str] | None = None,
) -> Training:
    """A new Training under the name that is next, given those that are taken."""
    while True:
        taken = {training.name for training in platform.resources.summaries("Training")}
        metadata = Metadata(name=name(taken), annotations=annotations, labels=labels or {})
        try:
            created = platform.resources.create(Training(metadata=metadata, spec=spec))
        except Conflict:  # somebody else took the name
            continue
        assert isinstance(created, Training)
        return created


def finish(platform: Platform, name: str, args: Namespace) -> int:
    """Wait for a Training (running it here where nobody else does), then print what came of it."""
    if args.no_wait:
        idle = platform.why_idle(name)
        emit({"training": name, "phase": "Pending"}, args.output, f"training/{name} created" + (f"; {idle}" if idle else ""))
        return 0
    training = ended(platform, name, args)
    tell(platform, training, args.output)
    return exit_code(training)


def tell(platform: Platform, training: Training, output: str) -> None:
    """What came of a Training, with what its steps set aside."""
    aside = set_aside(platform, training)
    emit(result(training, aside), output, "\n".join([told(training), *summary(training.name, aside)]))


def ended(platform: Platform, name: str, args: Namespace) -> Training:
    """The Training when it is over; why it did not succeed is said on stderr."""
    with Progress(args.quiet) as show:
        training = wait_for(platform, name, show)
        show(training, last=True)
    if training.status.phase != "Succeeded":
        say(f"lykeion {args.command}: {failure(training)}")
    return training


def exit_code(training: Training) -> int:
    """As documented; one that could not begin ends with the code of the error that kept it from it."""
    codes = {error.__name__: error.exit_code for error in (Invalid, NotFound, Unavailable, Corrupt)}
    reasons = [codes[condition.reason] for condition in training.status.conditions if condition.reason in codes]
    return {"Succeeded": 0, "Cancelled": 130}.get(training.status.phase, [*reasons, 1][0])


def result(training: Training, aside: Collection[Reason]) -> dict[str, Any]:
    """What `-o json` prints; others script against these keys."""
    return {
        "training": training.name,
        "phase": training.status.phase,
        "steps": [
            {
                "name": step.name,
                "state": step.phase,
                "cache": step.cache or "off",
                "why": step.why,
                "key": step.key,
                "seconds": round(step.seconds, 3),
                "cpuSeconds": step.cpu_seconds,
                "attempts": step.attempts,
                "metrics": step.metrics,
                "message": step.message,
            }
            for step in training.status.steps
        ],
        "published": [
            {"model": one.model, "version": one.version, "output": one.output, "alias": one.moved, "whyNot": one.why_not}
            for one in training.status.published
        ],
        "setAside": [{"step": one.step, "kind": one.kind, "reason": one.reason, "total": one.total} for one in aside],
    }


def told(training: Training) -> str:
    """The same for a person."""
    status = training.status
    took = (status.finished_at - status.started_at).total_seconds() if status.started_at and status.finished_at else 0.0
    cached = sum(step.phase == "Cached" for step in status.steps)
    lines = [f"training/{training.name} {status.phase.lower()} in {span(took)}: {counted(len(status.steps), 'step')}, {cached} cached"]
    lines += [
        f"  {one.model} version {one.version}" + (f", now {one.moved}" if one.moved else f", no alias moved: {one.why_not}")
        for one in status.published
    ]
    return "\n".join(lines)


def failure(training: Training) -> str:
    """Why it did not succeed: the condition, and the end of the log of what failed."""
    lines = [condition.message for condition in training.status.conditions if condition.message]
    for step in training.status.steps:
        if step.phase == "Failed" and step.log_tail and step.log_tail.strip() not in step.message:
            lines += [
                f"--- the end of the log of step {step.name} (all of it: lykeion logs {training.name} {step.name})",
                step.log_tail.rstrip(),
            ]
    return "\n".join(lines)


def alone(platform: Platform, pipeline: str, parameters: dict[str, Any], args: Namespace) -> int:
    """What the step needs is run as ever; the step itself in this process, where breakpoints work."""
    before = needed_by(platform, pipeline, parameters, args.step)
    if before:
        training = ended(platform, create(platform, pipeline, parameters, before, args.file).name, args)
        if training.status.phase != "Succeeded":
            tell(platform, training, args.output)
            return exit_code(training)
    folder = run_alone(platform, pipeline, parameters, args.step)
    emit(
        {"step": args.step, "outputs": str(folder)},
        args.output,
        f"step {args.step} ended well; its outputs are in {folder} and are not kept in the cache",
    )
    return 0
