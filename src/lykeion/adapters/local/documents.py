"""Documents and routes as files: replaced whole, never half-written; who owns which outlives a restart."""

import json
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from lykeion.adapters.local.home import Home
from lykeion.core.content import canonical
from lykeion.core.values import Child, Document, Json, ModelVersion, Ref, Route
from lykeion.errors import LykeionError


class Documents:
    """`documents/<name>.json`, each the canonical JSON of a Document's content; it appears once its models are mounted."""

    def __init__(self, home: Home, mount: Callable[[ModelVersion], None]) -> None:
        self.folder, self.mount = home.documents, mount
        self.owners_file = home.documents / ".owners"
        self.kept: dict[str, Child] = {}
        self.owners: dict[str, Ref] = {}
        self.mounted: dict[str, tuple[ModelVersion, ...]] = {}
        self.read()

    def read(self) -> None:
        """What an earlier life left: it holds until its owner says otherwise."""
        try:
            owners = json.loads(self.owners_file.read_bytes())
        except (OSError, ValueError):
            return
        for name, (kind, owner) in owners.items():
            try:
                text = self.path(name).read_bytes()
                self.kept[name] = child_of(name, text, json.loads(text))
                self.owners[name] = Ref(kind, owner)
            except (OSError, ValueError):
                continue

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def apply(self, document: Document) -> bool:
        """Whether it is otherwise than before."""
        text = canonical(document.content)
        known = self.kept.get(document.name)
        digest = digest_of(text)
        if known is not None and known.digest == digest and self.mounted.get(document.name) == document.models:
            return False
        try:
            for model in document.models:
                self.mount(model)
        except LykeionError as wrong:
            base = known or Child(document.name, "Document")
            failed = Child(base.name, "Document", "Pending", "MountFailed", str(wrong), digest=base.digest, content=base.content)
            self.kept[document.name], self.owners[document.name] = failed, document.owner
            return failed != known
        self.mounted[document.name] = document.models
        child = child_of(document.name, text, document.content)
        if child == known and self.owners.get(document.name) == document.owner:
            return False
        replace(self.path(document.name), text)
        self.kept[document.name], self.owners[document.name] = child, document.owner
        self.write_owners()
        return True

    def delete(self, name: str) -> bool:
        if self.kept.pop(name, None) is None:
            return False
        self.path(name).unlink(missing_ok=True)
        self.mounted.pop(name, None)
        del self.owners[name]
        self.write_owners()
        return True

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        return {name: child for name, child in self.kept.items() if self.owners[name] == owner}

    def write_owners(self) -> None:
        replace(self.owners_file, canonical({name: [owner.kind, owner.name] for name, owner in self.owners.items()}))


class Routes:
    """`documents/routes.json`: the prefixes that the gateway forwards, with the addresses that answer now."""

    def __init__(self, home: Home, addresses: Callable[[str], tuple[str, ...]]) -> None:
        self.file, self.addresses = home.routes, addresses
        self.kept: dict[str, Route] = {}
        self.written = b""
        self.refresh()

    def apply(self, route: Route) -> bool:
        if self.kept.get(route.name) == route:
            return False
        self.kept[route.name] = route
        self.refresh()
        return True

    def delete(self, name: str) -> bool:
        if self.kept.pop(name, None) is None:
            return False
        self.refresh()
        return True

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        return {name: self.child(route) for name, route in self.kept.items() if route.owner == owner}

    def child(self, route: Route) -> Child:
        told = tuple(address for target in route.targets for address in self.addresses(target.service))
        return Child(route.name, "Route", "Running" if told else "Pending", "" if told else "NoAddress", ready=len(told), addresses=told)

    def refresh(self) -> None:
        """Write the table where it is otherwise than the file."""
        table = canonical([self.row(route) for _, route in sorted(self.kept.items())])
        if table != self.written:
            replace(self.file, table)
            self.written = table

    def row(self, route: Route) -> Json:
        targets = [
            {"service": target.service, "weight": target.weight, "addresses": list(self.addresses(target.service))}
            for target in route.targets
        ]
        return {"name": route.name, "prefix": route.prefix, "targets": targets}


def digest_of(text: bytes) -> str:
    return f"sha256:{sha256(text).hexdigest()}"


def child_of(name: str, text: bytes, content: Json) -> Child:
    return Child(name, "Document", "Running", digest=digest_of(text), content=content)


def replace(path: Path, text: bytes) -> None:
    """Whoever reads `path` sees the old text or the new one, after a crash too."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(beside, path)
