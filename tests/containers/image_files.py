"""Images as tests need them: of busybox, and of layers that no well-behaved builder would make; and what of them still runs."""

import os
from dataclasses import replace
from pathlib import Path

import psutil

from lykeion.adapters.images.codecs import ZSTD, Codec
from lykeion.adapters.images.store import Meter, Store
from lykeion.adapters.images.tar import stream
from lykeion.core.images.entries import Entry
from lykeion.core.images.oci import Image, Layer, Settings, image
from lykeion.core.images.tree import arranged

BUSYBOX = Path("/usr/bin/busybox")
NAMES = "sh cat echo env id ls ln mkdir mkfifo ps pwd rm setsid sleep touch wc dd head chmod true kill yes"


def layer_of(store: Store, tar: bytes | list[Entry], codec: Codec = ZSTD) -> Layer:
    """A layer of entries, or of the bytes of a tar that no well-behaved builder would make."""
    meter = Meter(stream(arranged(tar)) if isinstance(tar, list) else iter((tar,)))
    descriptor = store.add(codec.pack(meter), codec.media_type)
    return Layer(descriptor, meter.digest)


def busybox() -> list[Entry]:
    links = [Entry(f"bin/{name}", "link", target="busybox") for name in NAMES.split()]
    return [Entry("bin/busybox", source=str(BUSYBOX), size=BUSYBOX.stat().st_size, mode=0o755), *links]


def put(store: Store, tag: str, *layers: Layer, **settings) -> Image:
    made = image(layers, replace(Settings(env={"PATH": "/bin"}), **settings))
    store.put_image(made, tag)
    return made


def left_of(home: Path) -> list[str]:
    """The processes that speak of a home in what they were started with, or have it mounted."""
    found = []
    for process in psutil.process_iter():
        try:
            name = process.name()
            told = [*process.cmdline(), *process.environ().values(), Path(f"/proc/{process.pid}/mounts").read_text()]
        except (psutil.Error, OSError):
            continue
        if process.pid != os.getpid() and any(str(home) in one for one in told):
            found.append(f"{process.pid} {name}")
    return found
