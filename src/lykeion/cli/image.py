"""`lykeion image`: OCI images without a Dockerfile, a daemon or root. Each action has a module of its own, loaded when it is asked for."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from lykeion.cli.common import Late, common_arguments
from lykeion.errors import LykeionError


class Action(NamedTuple):
    module: str
    help: str


ACTIONS = {
    "build": Action("image_build", "make the image of a pipeline file, or of a model's version"),
    "plan": Action("image_build", "say what building and pushing it would make and send, layer by layer, and why"),
    "watch": Action("image_watch", "build an image of each new version that asks for one, until it is stopped"),
    "lock": Action("image_lock", "write down a base, or Python packages, by digest"),
    "list": Action("image_store", "the images that are here"),
    "show": Action("image_store", "one image: layers, settings, labels"),
    "push": Action("image_store", "bring an image that is here to a registry"),
    "pull": Action("image_store", "bring an image from a registry here"),
    "save": Action("image_store", "write an image as one file for podman load, docker load or skopeo"),
    "sbom": Action("image_trust", "what is in an image that was built here, as CycloneDX"),
    "keygen": Action("image_trust", "make a pair of keys for signing images"),
    "sign": Action("image_trust", "vouch for an image in a registry"),
    "verify": Action("image_trust", "whether a trusted key vouches for an image in a registry"),
    "rm": Action("image_store", "take a name away from an image; `gc` frees its layers"),
    "gc": Action("image_store", "free layers that no image here needs"),
}


def arguments(parser: ArgumentParser, _: str) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Late)
    for name, action in ACTIONS.items():
        actions.add_parser(name, help=action.help, description=action.help, argument_default=SUPPRESS, fill=partial(fill, name))


def fill(name: str, parser: ArgumentParser) -> None:
    """The arguments of one action."""
    common_arguments(parser)
    parser.argument_default = None
    loaded(f"lykeion.cli.{ACTIONS[name].module}").arguments(parser, name)


def main(args: Namespace) -> int:
    code: int = loaded(f"lykeion.cli.{ACTIONS[args.action].module}").main(args)
    return code


def registries() -> ModuleType:
    """What asks a registry, loaded where one is asked: speaking HTTP and checking signatures takes a tenth of a second to load."""
    return loaded("lykeion.assembly_registries")


def loaded(module: str) -> ModuleType:
    """Raises LykeionError where what images need is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise LykeionError(f"images need {error.name}, which is not installed: pip install 'lykeion[images]'") from error
