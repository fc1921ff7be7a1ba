"""`lykeion rerun | cancel`: Trainings that exist."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lykeion.assembly import Platform, local
from lykeion.cli.driving import cancel as ask_to_cancel
from lykeion.cli.driving import end_cancelled, read
from lykeion.cli.files import pipeline_of as pipeline_in
from lykeion.cli.printing import detail, emit, say
from lykeion.cli.run import create_next, finish, run_options
from lykeion.core.pipelines.begin import begin
from lykeion.core.pipelines.names import rerun_name
from lykeion.core.pipelines.repeats import differences
from lykeion.core.resources import Training
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.training import OVER
from lykeion.daemons.lookup import Lookup
from lykeion.daemons.planning import plan
from lykeion.daemons.trainings import pipeline_of
from lykeion.errors import Conflict, Invalid, LykeionError


def arguments(parser: ArgumentParser, command: str) -> None:
    parser.add_argument("training", help="the Training")
    if command == "rerun":
        run_options(parser)


def main(args: Namespace) -> int:
    return rerun(args) if args.command == "rerun" else cancel(args)


def rerun(args: Namespace) -> int:
    """A new Training with the same spec; the old one stays as it is. It runs the pipeline and the code as they are now."""
    with local(args.home) as platform:
        old = read(platform, args.training)
        spec = old.spec.model_copy(update={"state": "Run"})
        new = create_next(platform, lambda taken: rerun_name(old.name, taken), spec, old.metadata.annotations, old.metadata.labels)
        if changes := changes_since(platform, old):
            say(f"{new.name} is not quite what {old.name} was; it runs the pipeline and the code as they are now:")
            for change in changes:
                detail(change)
        if file := edited_since(platform, old):
            say(f"{file} was edited since it was applied, and that is not run: lykeion run {file} would")
        return finish(platform, new.name, args)


def changes_since(platform: Platform, old: Training) -> list[str]:
    """What a rerun does otherwise than the run that it repeats; nothing where it cannot begin, which it says itself."""
    spec = old.spec
    try:
        pipeline = pipeline_of(old, platform.resources)
        around = plan(pipeline, spec.parameters, spec.window, platform.components, spec.steps, containers=platform.containers)
        begun = begin(around, spec.steps, Lookup(platform.resolve), 0, platform.clock.now())
    except LykeionError:
        return []
    return differences(begun, old.status)


def edited_since(platform: Platform, training: Training) -> str:
    """The file of its pipeline, where that says something else by now than what was applied; "" otherwise, and where it is gone."""
    try:
        kept = pipeline_of(training, platform.resources)
    except Invalid:  # it is gone, which the run says itself
        return ""
    file = kept.metadata.annotations.get(SOURCE_FILE, "")
    try:
        written = pipeline_in(file) if Path(file).is_file() else kept
    except (Invalid, OSError):  # a file that is half edited
        return file
    return file if written.spec.model_dump_json() != kept.spec.model_dump_json() else ""


def cancel(args: Namespace) -> int:
    """Ask for it, and where nobody else does it, do it."""
    with local(args.home) as platform:
        training = read(platform, args.training)
        if training.status.phase in OVER:
            raise Conflict(f"{training.name} has ended already: {training.status.phase}")
        ask_to_cancel(platform, training)
        ended = end_cancelled(platform, training.name).status.phase in OVER
        driver = platform.driver()
    told = "cancelled" if ended else f"is being cancelled by {driver.who}" if driver else "is being cancelled"
    emit({"training": training.name, "state": "Cancelled"}, args.output, f"training/{training.name} {told}")
    return 0
