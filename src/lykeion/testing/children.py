"""Children that are only written down: a test says how they are."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lykeion.core.content import digest_of_value
from lykeion.core.values import Applied, Child, Document, Ref, Route, Service, Task


class FakeChildren:
    """`ports.Children` without an engine. `wanted` is what was asked for; `becomes` says how a child is from now on.

    `on_wait` is called by `wait` with the seconds: where a test lets time pass and things happen.
    """

    def __init__(self, on_wait: Callable[[float], None] | None = None) -> None:
        self.wanted: dict[str, Applied] = {}
        self.children: dict[str, Child] = {}
        self.on_wait = on_wait
        self.applied: list[Applied] = []
        self.closed = False

    def apply(self, child: Applied) -> None:
        if self.wanted.get(child.name) == child:
            return
        self.applied.append(child)
        known = self.wanted.get(child.name)
        self.wanted[child.name] = child
        match child:
            case Task():
                if known is None:  # a task is started once
                    self.children[child.name] = Child(child.name, "Task")
            case Service():
                was = self.children.get(child.name, Child(child.name, "Service"))
                self.children[child.name] = replace(was, total=child.replicas)
            case Route():
                self.children[child.name] = Child(child.name, "Route")
            case Document():
                digest = digest_of_value(child.content)
                self.children[child.name] = Child(child.name, "Document", "Running", digest=digest, content=child.content)

    def becomes(self, name: str, **how: Any) -> Child:
        """The child is as it was, but for `how`."""
        self.children[name] = replace(self.children[name], **how)
        return self.children[name]

    def delete(self, name: str) -> None:
        self.wanted.pop(name, None)
        self.children.pop(name, None)

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        return {name: self.children[name] for name, child in self.wanted.items() if child.owner == owner}

    def wait(self, seconds: float) -> None:
        if self.on_wait is not None:
            self.on_wait(seconds)

    def close(self) -> None:
        self.wanted.clear()
        self.children.clear()
        self.closed = True
