"""Documents and routes as files: replaced whole, never half-written; who owns which outlives a restart."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lykeion.adapters.local.home import Home
from lykeion.core.content import canonical, digest_of
from lykeion.core.values import Child, Document, Json, ModelVersion, Ref, Route
from lykeion.errors import LykeionError


class Documents:
    """`documents/<name>.json`, each the canonical JSON of a Document's content; it appears once its models are mounted."""

    def __init__(self, home: Home, mount: Callable[[ModelVersion], None]) -> None:
        self.folder, self.mount = home.documents, mount
        self.owners_file = home.documents / ".owners"
        self.kept: dict[str, Child] = {}
        self.owners: dict[str, Ref] = {}
        self.owners_written: dict[str, Ref] = {}
        self.applied: dict[str, Document] = {}
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
        self.owners_written = dict(self.owners)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def apply(self, document: Document) -> bool:
        """Whether it is otherwise than before. What cannot be mounted or written is told, and tried again when it is applied again."""
        name = document.name
        if self.applied.get(name) == document:
            return False
        known = self.kept.get(name)
        text = canonical(document.content)
        child = child_of(name, text, document.content)
        try:
            for model in document.models:
                self.mount(model)
            self.write(child, document.owner, text)
            self.applied[name] = document
        except LykeionError as wrong:
            child = replace(known or Child(name, "Document"), phase="Pending", reason="MountFailed", message=str(wrong))
        except OSError as wrong:
            child = replace(known or Child(name, "Document"), phase="Pending", reason="DiskFull", message=f"cannot be written: {wrong}")
        self.kept[name] = child
        changed = child != known or self.owners.get(name) != document.owner
        self.owners[name] = document.owner
        return changed

    def write(self, child: Child, owner: Ref, text: bytes) -> None:
        """The file, where it is otherwise; and that it is `owner`'s."""
        known = self.kept.get(child.name)
        if known is None or known.digest != child.digest:
            overwrite(self.path(child.name), text)
        if self.owners_written.get(child.name) != owner:
            self.write_owners({**self.owners_written, child.name: owner})

    def delete(self, name: str) -> bool:
        if self.kept.pop(name, None) is None:
            return False
        self.path(name).unlink(missing_ok=True)
        self.applied.pop(name, None)
        del self.owners[name]
        with suppress(OSError):  # an owner of what is not there is passed over when it is read
            self.write_owners({other: owner for other, owner in self.owners_written.items() if other != name})
        return True

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        return {name: child for name, child in self.kept.items() if self.owners[name] == owner}

    def write_owners(self, owners: Mapping[str, Ref]) -> None:
        overwrite(self.owners_file, canonical({name: [owner.kind, owner.name] for name, owner in owners.items()}))
        self.owners_written = dict(owners)


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
            with suppress(OSError):  # a full disk: again at the next pass
                overwrite(self.file, table)
                self.written = table

    def row(self, route: Route) -> Json:
        targets = [
            {"service": target.service, "weight": target.weight, "addresses": list(self.addresses(target.service))}
            for target in route.targets
        ]
        return {"name": route.name, "prefix": route.prefix, "targets": targets}


def child_of(name: str, text: bytes, content: Json) -> Child:
    return Child(name, "Document", "Running", digest=digest_of(text), content=content)


def overwrite(path: Path, text: bytes) -> None:
    """Whoever reads `path` sees the old text or the new one, after a crash too."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
