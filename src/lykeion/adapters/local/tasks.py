"""Starts, watches and ends the tasks of one home: steps in processes forked from warm parents, at most `slots` at a time.

One thread owns it: the controller's loop, which blocks on `fileno()` or in `wait()`. A task's outputs are committed when every process
that could write to them is dead. What a dead engine left running is killed when the next one starts, and what it had sealed is kept.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

from lykeion.adapters.containers.daemon import end_left
from lykeion.adapters.containers.launch import scratch_of
from lykeion.adapters.local import attempts
from lykeion.adapters.local.attempts import Attempt, Staging
from lykeion.adapters.local.containment import HOME_TOKEN, kill_tokened
from lykeion.adapters.local.driver import ALL, TASKS
from lykeion.adapters.local.jobs import Failure, Job, Worker, partition_count, publishes, shares, tail, verdict, volume_failed
from lykeion.adapters.local.locks import Lock
from lykeion.adapters.local.memory import Groups
from lykeion.adapters.local.parents import IDLE_SECONDS, Parent, Parents
from lykeion.adapters.local.warm_parent import MARKS
from lykeion.adapters.volume.faults import point
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.partitions import Partitions
from lykeion.core.masking import Mask
from lykeion.core.pipelines.contract import ERROR_FILE, RESULT_FILE, StepFile
from lykeion.core.values import Child, Ref, StepResult, Task
from lykeion.errors import Corrupt, LykeionError, NotFound, Unavailable

RESERVE = 4 << 20  # bytes kept free for the state of what runs
RETRY_SECONDS = 1.0
CANCELLED = Failure("Cancelled", "it was cancelled")


def no_secrets(name: str, key: str) -> str:
    raise NotFound(f"there is no secret {name}.{key}: this engine was started without secrets")


def no_containers() -> str:
    raise Unavailable("this engine was started without anything that runs images")


class Turn(NamedTuple):
    """A worker that waits for a slot: which of its task's, with its step files."""

    task: str
    number: int
    steps: tuple[StepFile, ...]


class Tasks:
    """The tasks of one home. Raises Unavailable where another process has them.

    runner: "module:function" that a step's process calls. secrets: (name, key) -> value; raises NotFound. containers: the name of what
    runs images here; raises Unavailable.
    """

    def __init__(
        self,
        home: Path,
        *,
        runner: str,
        slots: int | None = None,
        secrets: Callable[[str, str], str] = no_secrets,
        containers: Callable[[], str] = no_containers,
        outputs: DirectoryOutputs | None = None,
        who: str = "an engine that runs steps",
        moves: str = ALL,
    ) -> None:
        self.home = home.resolve()
        self.slots = slots or len(os.sched_getaffinity(0))
        self.outputs = outputs or DirectoryOutputs(self.home)
        self.partitions = Partitions(self.home, self.outputs)
        self._secrets = secrets
        self._containers = containers
        self._lock = Lock(self.home / "locks" / TASKS, who, moves=moves)
        self._lock.acquire()
        self._groups = Groups(self.home)
        self._marks = self.home / MARKS
        self._staging = Staging(self.home)
        self._parents = Parents(self.home, runner)
        self._jobs: dict[str, Job] = {}
        self._books: dict[Ref, dict[str, Child]] = {}  # the children of each owner
        self._queue: deque[Turn] = deque()
        self._working: dict[str, tuple[Job, Worker]] = {}  # by attempt
        self._unpublished: dict[str, tuple[Job, Worker]] = {}  # ended, but the disk is full
        self._left: list[Attempt] = []  # what a dead engine left and the full disk did not take
        self._retry_at: float | None = None
        self._changed = False
        self.recover()

    # -- what the controller asks for

    def start(self, task: Task) -> None:
        """Run a task when there is a slot. Idempotent by name."""
        if task.name in self._jobs:
            return
        book = self._books.setdefault(task.owner, {})
        book[task.name] = Child(task.name, "Task")
        job = self._jobs[task.name] = Job(task, book)
        turns = self._turns(job)
        job.waiting = len(turns)
        job.partitions = sum(len(step.partitions or ()) for turn in turns for step in turn.steps)
        self._queue.extend(turns)
        if not turns:
            self._finish(job)
        self._fill()

    def cancel(self, name: str) -> None:
        """End a task and all that it started. It stays to be observed, Failed with reason Cancelled. Idempotent."""
        job = self._jobs.get(name)
        if job is not None and not job.over:
            self._abandon(job, CANCELLED)

    def delete(self, name: str) -> None:
        """Cancel a task and forget it when it is gone. Idempotent."""
        job = self._jobs.get(name)
        if job is None:
            return
        self.cancel(name)
        job.unwanted = True
        if job.over:
            self._forget(job)

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        """The tasks of a resource, by name."""
        for job, _ in self._working.values():
            if job.task.owner == owner:
                job.look()
        return dict(self._books.get(owner, {}))

    def fileno(self) -> int:
        """Readable when `work` has something to do; for a loop that waits for other things too."""
        return self._parents.poll.fileno()

    def look_again(self) -> float | None:
        """In how many seconds `work` has to be called though nothing is readable; None: not before something is."""
        moments = [worker.deadline for _, worker in self._working.values() if worker.deadline is not None and worker.doomed is None]
        if self._retry_at is not None:
            moments.append(self._retry_at)
        if any(parent.imports and not parent.busy for parent in self._parents.alive.values()):
            moments.append(time.monotonic() + IDLE_SECONDS / 4)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def work(self) -> bool:
        """Do what there is to do without waiting; whether any task changed."""
        while speaking := self._parents.heard():
            for parent in speaking:
                self._hear(parent)
        self._enforce_deadlines()
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._retry()
        self._parents.end_idle()
        self._fill()
        self.outputs.sync_if_due()
        changed, self._changed = self._changed, False
        return changed

    def wait(self, seconds: float) -> None:
        """Work until a task changed or `seconds` have passed."""
        end = time.monotonic() + seconds
        while not self.work():
            remaining = end - time.monotonic()
            if remaining <= 0:
                return
            patience = self.look_again()
            self._parents.poll.poll(remaining if patience is None else min(remaining, patience))

    def close(self) -> None:
        """End all tasks; nothing is left running. What was sealed is published. Idempotent."""
        if not self._lock.held:
            return
        self._queue.clear()
        self._parents.close()
        for job, worker in list(self._working.values()):
            worker.doomed = worker.doomed or CANCELLED
            self._ended(job, worker, None, 0.0)
        for attempt in self._left:
            os.close(attempt.lock)
        self._staging.close()
        self.outputs.sync()
        self._groups.clear()
        self._lock.release()

    def recover(self) -> None:
        """Kill what a dead engine left running, adopt what it had sealed, drop the rest."""
        kill_tokened(f"{HOME_TOKEN}={self.home}:")
        end_left(self._marks.glob("*"))
        self._groups.clear()
        for staged in (self.home / "staging").glob("*"):  # also of one whose lock somebody holds who is just dying
            rmtree(scratch_of(self._marks / staged.name), ignore_errors=True)
        self._left += attempts.left(self.home)
        self._retry()
        self.partitions.tidy()

    # -- starting

    def _turns(self, job: Job) -> list[Turn]:
        """The workers of a task. Partitions that are committed are not done again; where all are, nothing is left to do."""
        task = job.task
        if len(task.steps) > 1:
            steps = tuple(replace(step, partition_count=partition_count(task, step)) for step in task.steps)
            return [Turn(task.name, 0, steps)]
        step = task.steps[0]
        count = partition_count(task, step)
        if not count or not publishes(step):
            return [Turn(task.name, 0, (step,))]
        wanted = range(count) if step.partitions is None else step.partitions
        there = self.partitions.committed(step.key)
        missing = [number for number in wanted if number not in there]
        if not missing:
            with suppress(OSError, Corrupt):
                result = self.partitions.publish(step.key, range(count))
                if result is not None:
                    job.results[step.step] = result
                    return []
            missing = list(wanted)
        dealt = shares(missing, task.parallelism)
        return [Turn(task.name, at, (replace(step, partitions=share, partition_count=count),)) for at, share in enumerate(dealt)]

    def _fill(self) -> None:
        """Start who is first in the queue while there are slots, parents and room."""
        while self._queue and len(self._working) < self.slots:
            turn = self._queue[0]
            job = self._jobs[turn.task]
            try:
                self._require_room()
                parent = self._parents.get(job.task.imports)
                if parent is None:
                    return
                if not self._launch(job, turn, parent):
                    self._parent_gone(parent)
                    continue
            except OSError as error:
                self._waits(job, volume_failed(error))
                self._retry_at = time.monotonic() + RETRY_SECONDS
                return
            except LykeionError as error:
                self._abandon(job, Failure("Error", str(error)))
                continue
            self._queue.popleft()

    def _launch(self, job: Job, turn: Turn, parent: Parent) -> bool:
        """Ask a parent for a worker; False where the parent is gone. Raises OSError, and NotFound for a secret."""
        task = job.task
        secrets = {variable: self._secrets(*reference.split(".", 1)) for variable, reference in task.secrets.items()}
        logs = {step.step: str(self._log(task, step.step)) for step in turn.steps}
        os.makedirs(f"{self.home}/logs/{task.owner.name}", exist_ok=True)
        deadline = None if task.timeout is None else time.time() + task.timeout
        attempt = replace(self._staging.begin(f"{task.name}-{turn.number}", turn.steps, deadline), mask=Mask(secrets.values()))
        group = self._groups.make(attempt.name, task.resources.memory) if task.resources.memory else None
        request = {
            "attempt": attempt.name,
            "steps": attempt.files(),
            "logs": logs,
            "env": {**task.env, **secrets},
            "secrets": list(secrets),
            "memory": task.resources.memory,
            "cgroup": group.procs if group else None,
            "container": self._container(task),
        }
        point("before_send")
        try:
            parent.send(request, attempt.lock)
        except ConnectionError:
            self._staging.end(attempt)
            if group:
                group.remove()
            return False
        worker = Worker(attempt, parent, group)
        job.workers[attempt.name] = worker
        job.waiting -= 1
        self._working[attempt.name] = (job, worker)
        if parent.ready:
            self._runs(job, worker)
        return True

    def _container(self, task: Task) -> dict[str, Any] | None:
        """What the process of a step that runs an image is told of it. Raises Unavailable."""
        if task.image is None:
            return None
        return {"home": str(self.home), "image": task.image, "runtime": self._containers(), "network": task.network}

    def _runs(self, job: Job, worker: Worker) -> None:
        """Its parent has nothing to do but to fork it."""
        if job.task.timeout is not None:
            worker.deadline = time.monotonic() + job.task.timeout
        if job.child.phase == "Pending":
            job.child = replace(job.child, phase="Running", reason="", message="", started=datetime.now(UTC))
            self._changed = True

    def _require_room(self) -> None:
        """Raises OSError (ENOSPC) where starting anything would leave too little for what runs."""
        room = os.statvfs(self.home)
        if room.f_bavail * room.f_frsize < RESERVE:
            raise OSError(ENOSPC, "less than 4 MB are left on the volume")

    def _log(self, task: Task, step: str) -> Path:
        return self.home / "logs" / task.owner.name / f"{step}.log"

    # -- watching

    def _hear(self, parent: Parent) -> None:
        try:
            ended = parent.hear()
        except ConnectionError:
            self._parent_gone(parent)
            return
        if ended is not None:
            self._parents.finished(parent)
            self._ended(*self._working[ended.attempt], ended.code, ended.cpu)
            return
        parent.ready, parent.since = True, time.monotonic()
        for job, worker in self._working.values():
            if worker.parent is parent:
                self._runs(job, worker)

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for job, worker in self._working.values():
            if worker.deadline is not None and worker.doomed is None and now > worker.deadline:
                worker.doomed = Failure("TimedOut", f"it was stopped after {job.task.timeout:g} s, its time limit")
                worker.parent.kill(worker.attempt.name)
        for parent in self._parents.overdue():
            parent.process.kill()

    def _parent_gone(self, parent: Parent) -> None:
        """A parent ended: its steps ended with it. What they had sealed counts."""
        self._parents.end(parent)
        for job, worker in list(self._working.values()):
            if worker.parent is parent:
                if not parent.ready:
                    packages = ", ".join(parent.imports) or "the runner"
                    worker.doomed = worker.doomed or Failure("Error", f"importing {packages} ended the process: {parent.last_words()}")
                self._ended(job, worker, None, 0.0)

    # -- ending

    def _abandon(self, job: Job, why: Failure) -> None:
        """Stop all workers of a task, those that wait for a slot too."""
        job.failure = job.failure or why
        self._queue = deque(turn for turn in self._queue if turn.task != job.task.name)
        job.waiting = 0
        for worker in job.workers.values():
            worker.doomed = worker.doomed or why
            worker.parent.kill(worker.attempt.name)
        if not job.workers:
            self._finish(job)

    def _ended(self, job: Job, worker: Worker, code: int | None, cpu: float) -> None:
        """A worker and all that it started are dead, but for what a daemon runs where the parent is, too: commit what it sealed."""
        mark = self._marks / worker.attempt.name
        if code is None:
            end_left([mark])
        if job.task.image:  # where it was killed, there may be variables in it
            rmtree(scratch_of(mark), ignore_errors=True)
        del self._working[worker.attempt.name]
        worker.code = code
        job.child = replace(job.child, cpu=job.child.cpu + cpu)
        self._changed = True
        self._conclude(job, worker)

    def _conclude(self, job: Job, worker: Worker) -> None:
        """Commit, judge, and end the task with its last worker. On a full disk it is tried again later."""
        attempt = worker.attempt
        failure = self._judge(worker)
        worker.look()
        try:
            job.results.update(attempts.publish(attempt, self.outputs, self.partitions))
        except Corrupt as error:
            failure = failure or Failure("Error", str(error))
        except OSError as error:
            self._unpublished[attempt.name] = (job, worker)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._waits(job, volume_failed(error))
            return
        job.results.update(said_only(attempt))
        missing = [step for step in attempt.steps if step.step not in job.results]
        if not missing:
            failure = None  # what is sealed is done, whatever ended the worker
        elif worker.code == 0 and not all(step.partitions for step in missing):
            failure = failure or Failure(
                "Error", f"step {missing[0].step}: its process ended with exit code 0 before the component returned"
            )
        if worker.group:
            worker.group.remove()
        self._staging.end(attempt)
        job.ended.append(worker)
        del job.workers[attempt.name]
        if failure is not None and job.failure is None:
            self._abandon(job, failure)
        elif not job.workers and not job.waiting:
            self._finish(job)

    def _waits(self, job: Job, why: Failure) -> None:
        """Say why nothing happens; news only once."""
        self._changed = self._changed or job.child.reason != why.reason
        job.child = replace(job.child, reason=why.reason, message=why.message)

    def _judge(self, worker: Worker) -> Failure | None:
        error: dict[str, Any] = {}
        for step in worker.attempt.steps if worker.code != 0 else ():
            error = error or worker.attempt.said(step.step, ERROR_FILE)
        return verdict(worker.code, error, worker.group is not None and worker.group.ran_out(), worker.doomed)

    def _finish(self, job: Job) -> None:
        logs = [self._log(job.task, step.step) for step in job.task.steps]
        failed = job.failure is not None
        if failed and job.failure is not None and job.failure.reason == "TimedOut":
            with suppress(OSError), logs[-1].open("a") as log:
                log.write(f"{job.failure.message}\n")
        job.end(datetime.now(UTC), tail(logs[-1]) if failed else "")
        self._changed = True
        if job.unwanted:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.task.name, None)
        job.book.pop(job.task.name, None)
        if not job.book:
            self._books.pop(job.task.owner, None)

    def _retry(self) -> None:
        """Commit what a full disk did not take."""
        self._retry_at = None
        waiting, self._unpublished = self._unpublished, {}
        for job, worker in waiting.values():
            self._conclude(job, worker)
        left, self._left = self._left, []
        for attempt in left:
            try:
                with suppress(Corrupt):
                    attempts.publish(attempt, self.outputs, self.partitions)
            except OSError:
                self._left.append(attempt)
                self._retry_at = time.monotonic() + RETRY_SECONDS
                continue
            self._staging.end(attempt)


def said_only(attempt: Attempt) -> dict[str, StepResult]:
    """The results of the steps that leave no files, from what they said."""
    results = {}
    for step in attempt.steps:
        said = {} if publishes(step) else attempt.said(step.step, RESULT_FILE)
        if said:
            now = datetime.now(UTC)
            results[step.step] = StepResult(step.key, {}, said["metrics"], said["result"], 0, said["uncached"], now, step.material)
    return results
