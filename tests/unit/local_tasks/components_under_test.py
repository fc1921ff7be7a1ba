"""Components that behave, and components that do not."""

import importlib
import os
import signal
import subprocess
import sys
import time

from lykeion import Input, Output, Step, Window, component

FOREVER = 600


@component
def make(out: Output, *, text: str = "hello", seconds: float = 0.0) -> None:
    time.sleep(seconds)
    (out.path / "a.txt").write_text(text)


@component
def copy(source: Input, out: Output) -> None:
    (out.path / "a.txt").write_text((source.path / "a.txt").read_text() + source.digest)


@component
def without_optional(out: Output, source: Input | None = None) -> None:
    assert source is None


@component
def tell(step: Step) -> None:
    step.metric("rows", 3)
    step.result["environment"] = {name: os.environ.get(name) for name in ("WHO", "PASSWORD", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    step.result["attempt"] = step.attempt
    step.result["cwd"] = os.getcwd()


def watermark(*, table: str) -> str:
    return f"{table}@7"


@component(fingerprint=watermark)
def watched(out: Output, *, table: str = "t") -> None:
    raise AssertionError("a fingerprint does not run the component")


@component(fingerprint=lambda: 7)
def badly_watched(out: Output) -> None: ...


@component
def windowed(out: Output, window: Window) -> None:
    (out.path / "window").write_text(f"{window.start:%Y-%m-%d} {window.end:%Y-%m-%d}")


@component(partitions=8)
def split(out: Output, step: Step, *, fails_at: int = -1, seconds: float = 0.0) -> None:
    time.sleep(seconds)
    if step.partition == fails_at:
        raise ValueError(f"partition {step.partition} is bad")
    (out.path / "mine.txt").write_text(f"{step.partition} of {step.partition_count}")
    step.metric("parts", 1)
    print(f"did {step.partition}", os.getpid())


@component(partitions=4)
def counted(out: Output, step: Step) -> None:
    for done in range(10):
        step.progress(done + 1, 10, "items")


@component
def fail(out: Output, *, message: str = "the price is negative") -> None:
    print("about to fail")
    (out.path / "half.txt").write_text("half")
    raise ValueError(message)


@component
def leave(out: Output, *, code: int = 0) -> None:
    sys.exit(code)


@component
def need_a_package(out: Output) -> None:
    importlib.import_module("no_such_package.part")


@component
def odd_result(out: Output, step: Step) -> None:
    step.result["odd"] = object()


@component
def link(out: Output) -> None:
    (out.path / "link").symlink_to("/etc/hostname")


@component
def hidden_import(out: Output) -> None:
    importlib.import_module("hidden_helper")


@component
def hang(out: Output) -> None:
    time.sleep(FOREVER)


@component
def hang_badly(out: Output) -> None:
    """Ignores signals, and has a child in its group, one in another session, and one that is orphaned without environment."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", str(FOREVER)])
    subprocess.Popen(["sleep", str(FOREVER)], start_new_session=True)
    daemon()
    time.sleep(FOREVER)


@component
def leave_a_daemon(out: Output) -> None:
    daemon()


def daemon() -> None:
    """The classic double fork into a session of its own, with an empty environment; its name says whose step it was."""
    name = f"lykeion-test-daemon of {os.environ['LYKEION_STEPS_OF']}"
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", [name, str(FOREVER)], {})
        os._exit(0)
    os.wait()


@component
def write_late(out: Output) -> None:
    """Somebody goes on writing after the component has returned, at the worst moment: when the file has been read and not yet judged."""
    file, sync = (out.path / "late.txt").open("w"), os.fsync
    print("first", file=file, flush=True)

    def sync_late(handle: int) -> None:
        print("more", file=file, flush=True)
        sync(handle)

    os.fsync = sync_late


@component
def eat(out: Output, *, megabytes: int = 400) -> None:
    eaten = bytearray(megabytes << 20)
    eaten[:: 1 << 12] = b"x" * len(eaten[:: 1 << 12])
    (out.path / "size").write_text(str(len(eaten)))


@component
def die(out: Output, *, code: int = 0, number: int = 0) -> None:
    if number:
        os.kill(os.getpid(), number)
    os._exit(code)


@component
def fill(out: Output) -> None:
    raise OSError(28, "No space left on device")


@component
def descriptors(step: Step) -> None:
    step.result["open"] = sorted(
        os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if int(name) > 2 and exists(name)
    )


def exists(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


@component
def draw(step: Step) -> None:
    import numpy

    step.result["number"] = float(numpy.random.random())
    step.result["was_there"] = "numpy" in sys.modules


@component
def talk(out: Output, *, lines: int = 100) -> None:
    for number in range(lines):
        print(f"line {number} " + "x" * 200)
    raise RuntimeError("enough")


@component
def tamper(source: Input, out: Output) -> None:
    (source.path / "a.txt").chmod(0o644)
    (source.path / "a.txt").write_text("tampered")


def not_a_component() -> None: ...


@component
def boast(out: Output, step: Step, *, how: dict) -> None:
    """Says of itself what no component should."""
    if "progress" in how:
        step.progress(*how["progress"])
    if "file" in how:
        (step.staging / how["file"]).write_text(how["text"])
    step.metrics.update(how.get("metrics", {}))
    if how.get("fail"):
        raise RuntimeError("as told")


NO_TEXT = "a\udcffb"  # as Python reads the name of a file whose bytes are no UTF-8


@component(fingerprint=lambda: NO_TEXT)
def garble(out: Output, step: Step, *, where: str) -> None:
    """Says something that is no text, or too deep, somewhere."""
    if where == "error":
        raise ValueError(f"cannot read {NO_TEXT}")
    if where == "progress":
        step.progress(1, 2, NO_TEXT)
    if where == "metric":
        step.metric(NO_TEXT, 1)
    if where == "result":
        step.result[NO_TEXT] = [NO_TEXT]
    if where == "deep":
        for _ in range(200):
            step.result["inner"] = dict(step.result)
    if where == "uncached":
        step.uncached = NO_TEXT
    print(NO_TEXT)


@component
def garble_without(step: Step, *, where: str) -> None:
    garble.function(None, step, where=where)


@component
def print_much(out: Output, *, megabytes: int, fails: bool = False) -> None:
    for number in range(megabytes):
        print(number, "x" * (1 << 20))
    print("the last line")
    if fails:
        raise RuntimeError("at last")


@component
def betray(out: Output, *, how: str) -> None:
    value = os.environ["PASSWORD"]
    if how == "print":
        print("it is", value, {"it": value}, flush=True)
    elif how == "child":
        subprocess.run(["printenv", "PASSWORD"], check=True)
    elif how == "error":
        sys.stderr.write(f"half a line with {value[:6]}")
        sys.stderr.flush()
        sys.stderr.write(value[6:])
    raise RuntimeError(f"cannot log in with {value}" if how == "exception" else "no")


@component
def confess(out: Output, step: Step) -> None:
    value = os.environ["PASSWORD"]
    step.result["it"] = [f"is {value}"]
    step.metric(f"of {value}", 1)


@component
def overdo(out: Output, step: Step, *, what: str) -> None:
    setattr(step, what, "text")


@component
def remove_output(out: Output) -> None:
    out.path.rmdir()


@component
def odd_name(out: Output) -> None:
    open(os.fsencode(out.path) + b"/l\xe9", "w").close()
