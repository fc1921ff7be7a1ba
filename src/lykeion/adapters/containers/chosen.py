"""Which runtime this machine's containers have: the first that works, or the one that LYKEION_CONTAINERS names. Tried once."""

import os
from functools import cached_property
from importlib import import_module
from pathlib import Path

from lykeion.adapters.containers.bubblewrap import Bubblewrap
from lykeion.adapters.containers.daemon import DAEMONS
from lykeion.adapters.containers.launch import Runtime
from lykeion.adapters.containers.podman import Podman
from lykeion.errors import Invalid, Problem, Unavailable

VARIABLE = "LYKEION_CONTAINERS"
RUNTIMES: tuple[Runtime, ...] = (Bubblewrap(), Podman(), *DAEMONS.values())
BY_NAME = {runtime.name: runtime for runtime in RUNTIMES}


class Containers:
    """Fulfils ports.Containers for one home, whose images lie in `images`."""

    def __init__(self, images: Path) -> None:
        self.images = images

    @cached_property
    def found(self) -> tuple[str, str]:
        """The runtime's name, "" where there is none, and why those before it were passed over."""
        wanted = os.environ.get(VARIABLE)
        if wanted and wanted not in BY_NAME:
            raise Invalid([Problem("there is no such runtime", field=VARIABLE, value=wanted, remedy=f"one of {', '.join(BY_NAME)}")])
        reasons: list[str] = []
        for runtime in [BY_NAME[wanted]] if wanted else RUNTIMES:
            unfit = runtime.unfit()
            if not unfit:
                return runtime.name, "; ".join(reasons)
            reasons.append(unfit)
        return "", "; ".join(reasons)

    def runtime(self) -> str:
        """Its name. Raises Unavailable where there is none, with the reasons."""
        name, reasons = self.found
        if not name:
            raise Unavailable(f"images cannot be run on this machine: {reasons}")
        return name

    def pinned(self, image: str) -> str:
        self.runtime()
        try:
            images = import_module("lykeion.adapters.containers.images")
            store = import_module("lykeion.adapters.images.store").Store(self.images)
        except ModuleNotFoundError as error:
            raise Unavailable(f"images need {error.name}, which is not installed: pip install 'lykeion[images]'") from error
        found: str = images.pinned(store, image)
        return found
