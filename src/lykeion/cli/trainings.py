"""`lykeion rerun | cancel`: Trainings that exist."""

from argparse import ArgumentParser, Namespace

from lykeion.assembly import local
from lykeion.cli.printing import emit
from lykeion.cli.run import finish, run_options
from lykeion.core.pipelines.names import rerun_name
from lykeion.core.resources import Metadata, Training
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
    platform = local(args.home)
    old = platform.resources.get("Training", args.training)
    assert isinstance(old, Training)
    names = {training.name for training in platform.resources.list("Training")}
    spec = old.spec.model_copy(update={"state": "Run"})
    metadata = Metadata(name=rerun_name(old.name, names), annotations=old.metadata.annotations, labels=old.metadata.labels)
    new = platform.resources.create(Training(metadata=metadata, spec=spec))
    return finish(platform, new.name, args)


def cancel(args: Namespace) -> int:
    platform = local(args.home)
    training = platform.resources.get("Training", args.training)
    assert isinstance(training, Training)
    if training.status.phase in OVER:
        raise Conflict(f"{training.name} has ended already: {training.status.phase}")
    platform.resources.apply(training.model_copy(update={"spec": training.spec.model_copy(update={"state": "Cancelled"})}))
    emit({"training": training.name, "state": "Cancelled"}, args.output, f"training/{training.name} is being cancelled")
    return 0
