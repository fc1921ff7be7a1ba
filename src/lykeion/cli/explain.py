"""`lykeion explain FILE` says what a run would do and why, without running a step; `lykeion explain TRAINING` what a run did and why."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from lykeion.assembly import Platform, local
from lykeion.cli.alone import foresee
from lykeion.cli.files import pipeline_to_run
from lykeion.cli.printing import emit, rows
from lykeion.core.pipelines.material import material_in
from lykeion.core.resources import StepStatus, Training
from lykeion.core.resources.suggest import did_you_mean
from lykeion.errors import NotFound


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("what", help="a pipeline file, or a Training")
    parser.add_argument("step", nargs="?", help="one step only, with all that its key is made of")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the pipeline")


def main(args: Namespace) -> int:
    with local(args.home) as platform:
        return explained(platform, args)


def explained(platform: Platform, args: Namespace) -> int:
    if Path(args.what).is_file():
        training = foresee(platform, *pipeline_to_run(args.what, args.parameter, platform.components, platform.containers))
    else:
        kept = platform.resources.get("Training", args.what)
        assert isinstance(kept, Training)
        training = kept
    steps = training.status.steps
    chosen = [step for step in steps if args.step in (None, step.name)]
    if args.step and not chosen:
        raise NotFound(f"there is no step {args.step!r}; {did_you_mean(args.step, [step.name for step in steps], 'the steps are')}")
    told = [explanation(training, step, bool(args.step)) for step in chosen]
    lines = ((one["name"], one["cache"], one["key"][:12], one["why"]) for one in told)
    table = rows(("STEP", "CACHE", "KEY", "WHY"), lines, f"{args.what} has not begun: none of its steps is known yet")
    emit(told, "yaml" if args.step and args.output == "table" else args.output, table)
    return 0


def explanation(training: Training, step: StepStatus, in_full: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": step.name, "cache": step.cache or "unknown", "key": step.key, "why": why(step)}
    if in_full:
        material = material_in(training, step.name)
        told["material"] = material.to_dict() if material else {}
    return told


def why(step: StepStatus) -> str:
    if step.cache == "hit":
        return "nothing that decides its result has changed"
    if step.why:
        return step.why
    return step.message or "its key is known once the steps before it have run"
