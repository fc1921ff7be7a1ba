"""A step that runs an image, in the process of that step: unpack, start the container, wait, and seal what it left.

In the container:

    /lykeion/step.json        the step file, with the paths that follow; LYKEION_STEP names it
    /lykeion/inputs/NAME      read-only
    /lykeion/staging/OUTPUT   what becomes the output
    /lykeion/staging          result.json, progress.json and error.json, which the platform takes over when it has looked at them
    /lykeion/cache            outlives the step; containers share it

The container never sees the step's real staging folder, so it cannot make anybody believe that it has been sealed.
"""

import json
import os
import select
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from errno import ENOSPC
from pathlib import Path
from shutil import rmtree
from signal import SIGKILL, Signals
from typing import Any

from lykeion.adapters.containers.chosen import BY_NAME
from lykeion.adapters.containers.images import Root, brought, root_of
from lykeion.adapters.containers.launch import MOUNTS, Launch, Mount, Runtime, scratch_of
from lykeion.adapters.images.store import Store
from lykeion.adapters.local import containment
from lykeion.adapters.local.warm_parent import MARKS, Seal
from lykeion.core.content import read_json
from lykeion.core.pipelines.contract import ERROR_FILE, PROGRESS_FILE, RESULT_FILE, StepFile
from lykeion.errors import Invalid, LykeionError, Problem

SUCCEEDED, FAILED, DISK_FULL = 0, 1, ENOSPC
NOTHING_SAID: Mapping[str, Any] = {"metrics": {}, "result": {}, "uncached": ""}
LOOK_SECONDS = 0.5  # how often its progress is looked at
LARGEST_SAID = 1 << 20  # bytes of result.json, progress.json, error.json
TOKENS = (containment.HOME_TOKEN, containment.STEP_TOKEN)  # by which the engine finds what it has started


class Ended(LykeionError):
    """The command of a step ended badly."""


@dataclass(frozen=True, slots=True)
class Contained:
    """How one step's container is started: by which runtime, of which image, and what it is given besides what the image says."""

    home: Path
    image: str
    runtime: str
    network: bool
    env: Mapping[str, str]
    memory: int
    grouped: bool

    @staticmethod
    def of(request: Mapping[str, Any]) -> "Contained":
        """From what the engine asks of the step's parent."""
        given = {**request["container"], "home": Path(request["container"]["home"])}
        return Contained(**given, env=request["env"], memory=request["memory"] or 0, grouped=bool(request["cgroup"]))

    @property
    def mark(self) -> Path:
        return self.home / MARKS / os.environ[containment.STEP_TOKEN]

    def run(self, file: StepFile, seal: Seal) -> int:
        """Returns the exit code of the step's process; a failure is told in error.json, and by a line of the log."""
        place = Place(file.staging, scratch_of(self.mark))
        try:
            self.contain(file, place)
            if file.outputs:
                seal(file.staging, file, None)
        except (LykeionError, OSError, ValueError) as error:
            return place.report(error)
        return SUCCEEDED

    def contain(self, file: StepFile, place: "Place") -> None:
        """Run the container, and take over what it left. Raises LykeionError, OSError."""
        store = Store(self.home / "images")
        containment.adopt_orphans()
        try:
            with root_of(store, self.home / "rootfs", brought(store, self.image)) as root:
                launch = self.launch(file, root, place)
                runtime = BY_NAME[self.runtime]
                place.make(launch)
                try:
                    with runtime.held(launch):
                        code = waited_for(started(runtime, launch), place)
                finally:
                    end_all()
                    place.take_back()
            if code:
                place.relay(ERROR_FILE, is_error)
                raise Ended(ending(launch, code))
            if not place.relay(RESULT_FILE, is_result, NOTHING_SAID) and not file.outputs:
                place.say(RESULT_FILE, NOTHING_SAID)
        finally:
            place.clear()

    def launch(self, file: StepFile, root: Root, place: "Place") -> Launch:
        cache = self.home / "cache" / "containers"
        inputs = {name: f"{MOUNTS}/inputs/{name}" for name in file.inputs}
        inside = replace(file, inputs=inputs, staging=f"{MOUNTS}/staging", cache=f"{MOUNTS}/cache", folder="", material={})
        user, group = root.user
        return Launch(
            rootfs=root.folder,
            argv=root.command(file.command),
            env={
                **root.env,
                **self.env,
                **{name: os.environ[name] for name in TOKENS if name in os.environ},
                "LYKEION_STEP": f"{MOUNTS}/step.json",
            },
            mounts=(
                Mount(place.step_file(inside), f"{MOUNTS}/step.json"),
                *(Mount(os.path.realpath(path), inputs[name]) for name, path in file.inputs.items()),
                Mount(place.said, f"{MOUNTS}/staging", writable=True),
                *(Mount(f"{file.staging}/{name}", f"{MOUNTS}/staging/{name}", writable=True) for name in file.outputs),
                Mount(str(cache), f"{MOUNTS}/cache", writable=True),
            ),
            user=user,
            group=group,
            folder=root.working_folder,
            mark=self.mark,
            parent=os.getppid(),
            network=self.network,
            memory=self.memory,
            grouped=self.grouped,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one container: one in the staging folder of its step, named as no output can be, and `scratch` for its runtime."""

    staging: str
    scratch: Path

    @property
    def folder(self) -> str:
        return f"{self.staging}/.container"

    @property
    def said(self) -> str:
        """What the container sees as its staging folder."""
        return f"{self.folder}/said"

    def step_file(self, file: StepFile) -> str:
        os.makedirs(self.folder, exist_ok=True)
        path = f"{self.folder}/step.json"
        Path(path).write_text(file.to_json())
        return path

    def make(self, launch: Launch) -> None:
        """The folders that it may write to, its user's where this process is root. Below `said` the places of outputs are mounted."""
        for mount in launch.mounts:
            if mount.writable:
                os.makedirs(mount.source, exist_ok=True)
                below = mount.target.removeprefix(f"{MOUNTS}/staging/")
                if below != mount.target:
                    os.makedirs(f"{self.said}/{below}", exist_ok=True)
                if os.geteuid() == 0:
                    os.chown(mount.source, launch.user, launch.group)

    def take_back(self) -> None:
        """What it left is ours again, and can be read; links are left for the seal to refuse."""
        for folder, folders, files in os.walk(self.staging):
            for name in (*folders, *files):
                path = f"{folder}/{name}"
                if os.geteuid() == 0:
                    os.chown(path, 0, 0, follow_symlinks=False)
                if not os.path.islink(path):
                    os.chmod(path, os.lstat(path).st_mode & 0o777 | (0o700 if name in folders else 0o400))

    def relay(self, name: str, fits: Callable[[Mapping[str, Any]], bool], otherwise: Mapping[str, Any] = {}) -> bool:
        """Pass on what it says, if it says anything: of what it leaves out, `otherwise`. Raises Invalid where the contract does not
        know such a thing."""
        if not os.path.lexists(f"{self.said}/{name}"):
            return False
        told = read_said(f"{self.said}/{name}")
        if told is None or not fits(told):
            raise Invalid([Problem(f"what it left is no {name} of the step contract", remedy="docs/architecture/35-containers.md")])
        self.say(name, {**otherwise, **told})
        return True

    def look(self) -> None:
        """Pass its progress on while it runs; what is none is passed over."""
        told = read_said(f"{self.said}/{PROGRESS_FILE}")
        if told is not None and is_progress(told):
            self.say(PROGRESS_FILE, told)

    def say(self, name: str, told: Mapping[str, Any]) -> None:
        """Whoever reads it sees the old text or the new one."""
        beside = f"{self.folder}/{name}"
        Path(beside).write_text(json.dumps(told))
        os.replace(beside, f"{self.staging}/{name}")

    def report(self, error: Exception) -> int:
        """Say what went wrong, unless the container has said it better; returns the exit code."""
        print(error, flush=True)
        path = Path(self.staging, ERROR_FILE)
        if not path.exists():
            said = {"type": type(error).__name__, "message": str(error), "traceback": "", "retryable": not isinstance(error, Invalid)}
            with suppress(OSError):
                path.write_text(json.dumps(said))
        return DISK_FULL if isinstance(error, OSError) and error.errno == ENOSPC else FAILED

    def clear(self) -> None:
        rmtree(self.folder, ignore_errors=True)
        rmtree(self.scratch, ignore_errors=True)


def started(runtime: Runtime, launch: Launch) -> int:
    """The container, or who asks a daemon for it, as a child of this process; returns its number."""
    step, process = os.getpid(), os.fork()
    if process == 0:
        try:
            containment.die_with(step)
            runtime.become(launch)
        except OSError as error:
            print(f"{runtime.name}: {error}", flush=True)
        finally:
            os._exit(FAILED)
    return process


def waited_for(process: int, place: Place) -> int:
    """The container's exit code, when it has ended. Its progress is passed on meanwhile."""
    ending = os.pidfd_open(process)
    poll = select.poll()
    poll.register(ending, select.POLLIN)
    while not poll.poll(LOOK_SECONDS * 1000):
        place.look()
    os.close(ending)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def end_all() -> None:
    """Kill what is left of the container, and wait until it is gone: nobody may write while its outputs are sealed."""
    while children := containment.children():
        for child in children:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, SIGKILL)
                os.waitpid(child, 0)


def ending(launch: Launch, code: int) -> str:
    """A runtime tells a signal as 128 and its number; a daemon's container that has no more memory ends by SIGKILL."""
    program, number = launch.argv[0], -code if code < 0 else code - 128
    if number in {signal.value for signal in Signals}:
        hint = "; it may have needed more memory than resources.memory allows" if launch.memory and number == SIGKILL else ""
        return f"{program} was ended by {Signals(number).name}{hint}"
    return f"{program} ended with exit code {code}; its log may say why"


def read_said(path: str) -> dict[str, Any] | None:
    """A JSON object that the container wrote; None where there is none. It may have put anything there: a pipe, a link, too much."""
    with suppress(OSError, ValueError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                found = read_json(file.read(LARGEST_SAID))
                return found if isinstance(found, dict) else None
    return None


def is_progress(told: Mapping[str, Any]) -> bool:
    numbers = all(isinstance(told.get(name), int) and not isinstance(told.get(name), bool) for name in ("done", "total"))
    return numbers and isinstance(told.get("unit"), str)


def is_result(told: Mapping[str, Any]) -> bool:
    metrics = told.get("metrics", {})
    return (
        isinstance(metrics, dict)
        and all(isinstance(value, int | float) for value in metrics.values())
        and isinstance(told.get("result", {}), dict)
        and isinstance(told.get("uncached", ""), str)
    )


def is_error(told: Mapping[str, Any]) -> bool:
    return isinstance(told.get("type"), str) and isinstance(told.get("message", ""), str)
