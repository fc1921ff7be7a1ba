"""`lykeion rerun | cancel`: Trainings that exist."""

from argparse import ArgumentParser, Namespace

from lykeion.assembly import local
from lykeion.cli.printing import emit
from lykeion.cli.run import create_next, finish, run_options
from lykeion.core.pipelines.names import rerun_name
from lykeion.core.resources import Training
from lykeion.core.resources.training import OVER
from lykeion.errors import Conflict


def arguments(parser: ArgumentParser, command: str) -> None:
    parser.add_argument("training", help="the Training")
    if command == "rerun":
        run_options(parser)


def main(args: Namespace) -> int:
    return rerun(args) if args.command == "rerun" else cancel(args)


def rerun(args: Namespace) -> int:
    """A new Training with the same spec; the old one stays as it is."""
    with local(args.home) as platform:
        old = platform.resources.get("Training", args.training)
        assert isinstance(old, Training)
        spec = old.spec.model_copy(update={"state": "Run"})
        new = create_next(platform, lambda taken: rerun_name(old.name, taken), spec, old.metadata.annotations, old.metadata.labels)
        return finish(platform, new.name, args)


def cancel(args: Namespace) -> int:
    with local(args.home) as platform:
        training = platform.resources.get("Training", args.training)
        assert isinstance(training, Training)
        if training.status.phase in OVER:
            raise Conflict(f"{training.name} has ended already: {training.status.phase}")
        platform.resources.apply(training.model_copy(update={"spec": training.spec.model_copy(update={"state": "Cancelled"})}))
    emit({"training": training.name, "state": "Cancelled"}, args.output, f"training/{training.name} is being cancelled")
    return 0
