"""The command line that every supervised server has."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arguments:
    """`socket`: where the supervisor answers. `document`: the name of the one that is followed, in the folder `documents`."""

    socket: Path
    documents: Path
    volume: Path
    document: str
    family: str
    workers: int

    @property
    def followed(self) -> Path:
        return self.documents / f"{self.document}.json"


def parse(program: str, given: Sequence[str] | None = None) -> Arguments:
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket of /healthz, /readyz and /metrics; workers have SOCKET.0 …")
    parser.add_argument("--documents", type=Path, required=True, help="folder of the install's documents")
    parser.add_argument("--volume", type=Path, required=True, help="folder that holds models/NAME/VERSION")
    parser.add_argument("--document", required=True, help="name of the document to follow")
    parser.add_argument("--family", required=True)
    parser.add_argument("--workers", type=int, default=1)
    found = parser.parse_args(given)
    if not 1 <= found.workers <= 256:
        parser.error("--workers: 1 … 256")
    return Arguments(**vars(found))
