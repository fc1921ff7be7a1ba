"""The children of one home: tasks, services, routes and documents under one roof, and one place to wait for all of them."""

import time
from collections.abc import Callable, Mapping
from selectors import EVENT_READ, DefaultSelector
from typing import Protocol

from lykeion.adapters.local.documents import Documents, Routes
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.services import Services
from lykeion.adapters.local.wake import Bell
from lykeion.core.values import Applied, Child, Document, ModelVersion, Ref, Route, Service, Task
from lykeion.errors import LykeionError

LONGEST_PAUSE = 0.5  # a bell that is lost costs no more than this


class Worker(Protocol):
    """Something that is driven by a loop: `fileno` is readable when there is work, `look_again` says when there is anyway."""

    def fileno(self) -> int: ...
    def look_again(self) -> float | None: ...
    def work(self) -> bool: ...
    def observe(self, owner: Ref) -> Mapping[str, Child]: ...
    def delete(self, name: str) -> None: ...
    def close(self) -> None: ...


class TaskRunner(Worker, Protocol):
    def start(self, task: Task) -> None: ...


class LocalChildren:
    """`ports.Children` on one machine. Who makes one holds the home's controller lock.

    `tasks` or `services` may be None where the process is not to run any (`lykeion run` keeps up no services): applying one is an error.
    `bell` rings when another process has written a resource.
    """

    def __init__(
        self,
        home: Home,
        tasks: TaskRunner | None = None,
        services: Services | None = None,
        bell: Bell | None = None,
        *,
        mount: Callable[[ModelVersion], None],
    ) -> None:
        self.tasks, self.services, self.bell, self.mount = tasks, services, bell, mount
        self.documents = Documents(home, mount)
        self.routes = Routes(home, services.addresses) if services is not None else None
        self.workers: list[Worker] = [worker for worker in (tasks, services) if worker is not None]
        self.selector = DefaultSelector()
        for worker in self.workers:
            self.selector.register(worker, EVENT_READ)
        if bell is not None:
            bell.listen()
            self.selector.register(bell, EVENT_READ)
        self.unmounted: dict[str, tuple[Ref, Child]] = {}  # tasks that ended before they began
        self.changed = False

    def attach(self, tasks: TaskRunner) -> None:
        """Run tasks too, from now on."""
        self.tasks = tasks
        self.workers.insert(0, tasks)
        self.selector.register(tasks, EVENT_READ)

    def apply(self, child: Applied) -> None:
        match child:
            case Task():
                assert self.tasks is not None, "this process runs no tasks"
                if self.mounted(child):
                    self.tasks.start(child)
            case Service():
                assert self.services is not None, "this process keeps up no services"
                self.services.apply(child)
            case Route():
                assert self.routes is not None, "this process keeps up no services"
                self.changed = self.routes.apply(child) or self.changed
            case Document():
                if self.documents.apply(child):
                    self.changed = True
                    if self.services is not None:
                        self.services.hurry()

    def mounted(self, task: Task) -> bool:
        """Whether the models that a task reads are there; where one cannot be had, the task has failed."""
        if task.name not in self.unmounted:
            try:
                for model in task.models:
                    self.mount(model)
            except LykeionError as wrong:
                failed = Child(task.name, "Task", "Failed", "MountFailed", str(wrong))
                self.unmounted[task.name], self.changed = (task.owner, failed), True
        return task.name not in self.unmounted

    def delete(self, name: str) -> None:
        for worker in self.workers:
            worker.delete(name)
        self.unmounted.pop(name, None)
        routed = self.routes.delete(name) if self.routes is not None else False
        self.changed = self.documents.delete(name) or routed or self.changed

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        found = {name: child for name, (of, child) in self.unmounted.items() if of == owner}
        for worker in self.workers:
            found.update(worker.observe(owner))
        if self.routes is not None:
            found.update(self.routes.observe(owner))
        return found | dict(self.documents.observe(owner))

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.work():
            pauses = [pause for worker in self.workers if (pause := worker.look_again()) is not None]
            remaining = end - time.monotonic()
            if remaining <= 0:
                return
            self.selector.select(min([remaining, *pauses, LONGEST_PAUSE]))

    def work(self) -> bool:
        """Everyone's work, once; whether anything is otherwise now, or somebody rang."""
        changed = [worker.work() for worker in self.workers]
        if self.routes is not None:
            self.routes.refresh()
        rung = self.bell.hush() if self.bell is not None else False
        changed.append(self.changed)
        self.changed = False
        return rung or any(changed)

    def close(self) -> None:
        """End everything: services first, for they may have requests to finish."""
        for worker in reversed(self.workers):
            worker.close()
        if self.routes is not None:
            self.routes.refresh()
        self.selector.close()
