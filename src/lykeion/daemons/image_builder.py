"""The loop that gives every version that asks for it an image in the registry, and then lets its alias follow.

It looks at what is: the repository's journal says which models to look at again, and once an hour all are. What it does may be broken
off anywhere and is done again. Two builders at once do the same work twice and leave the same image, since images are reproducible:
no lock between clusters that share nothing but the repository.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from lykeion.core.images.records import ImageRecord, failed
from lykeion.core.images.wanted import Candidate, Move, Seen, Version, Wanted, asks_for_image, decide
from lykeion.core.serving.names import space_model
from lykeion.errors import Conflict, Corrupt, LykeionError, NotFound
from lykeion.ports import Clock, Images
from lykeion.repository import Repository

LOOK_EVERY = 1.0  # seconds between looks at the journal
FULL = timedelta(hours=1)

Said = Callable[[str], None]


class ImageBuilder:
    """`said` is told in a line what is done."""

    def __init__(self, repository: Repository, images: Images, clock: Clock, said: Said, builder: str = "") -> None:
        self.repository, self.images, self.clock, self.said, self.builder = repository, images, clock, said, builder
        self.models: dict[str, Seen] = {}
        self.read = 0  # how far the journal is known
        self.looked: datetime | None = None  # when all models were looked at

    def pass_(self) -> float:
        """One pass: build at most one image, move aliases, drop what is gone. In how many seconds to look again at the latest."""
        now = self.clock.now()
        self.look(now)
        soonest = LOOK_EVERY
        for model in sorted(self.models):
            wanted = decide(self.seen_at(model, now))
            self.act(wanted)
            if wanted.build or wanted.move:  # look at what is now, before anything else is begun
                self.refresh(model)
                return 0.0
        return soonest

    # looking ------------------------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        """Take in what the journal says; where it cannot be read, what was known is gone on with."""
        entries = self.repository.journal(self.read)
        models = {str(entry["model"]) for entry in entries}  # of the first look all that ever were, also those whose versions are gone
        if self.looked is None or now - self.looked >= FULL:
            models |= set(self.repository.models()) | self.models.keys()
            self.looked = now
        for model in models | {family for family in self.models if space_model(family) in models}:
            self.refresh(model)
        self.read = max([self.read, *(int(entry["n"]) for entry in entries)])

    def refresh(self, model: str) -> None:
        """What there is of a model and asks for images. One that cannot be read keeps no other from its own."""
        try:
            seen = self.observe(model)
        except (Corrupt, NotFound) as wrong:
            self.said(f"{model}: cannot be looked at: {wrong}")
            return
        if seen.candidates or seen.records:
            self.models[model] = seen
        else:
            self.models.pop(model, None)

    def observe(self, model: str) -> Seen:
        published = {(model, number) for number in self.repository.versions(model)}
        candidates = [found for _, number in sorted(published) if (found := self.candidate(model, number))]
        needed = {version for candidate in candidates for version in candidate.needs}
        log = self.repository.images(model)
        records = {(model, number): record for number in log.versions() if (record := log.last(number))}
        for other, number in needed:
            if record := self.repository.images(other).last(number):
                records[other, number] = record
        named = {
            (model, candidate.track): tuple(move.version for move in self.repository.history(model, candidate.track))
            for candidate in candidates
        }
        return Seen(tuple(candidates), records, frozenset({*published, *needed}), named, self.clock.now())

    def candidate(self, model: str, number: int) -> Candidate | None:
        """A version that asks for an image; None for one that does not, or is gone, or damaged."""
        try:
            manifest = self.repository.manifest(model, number)
        except (Corrupt, NotFound):
            return None
        if not asks_for_image(manifest.deploy):
            return None
        needs: list[Version] = []
        if generation := manifest.metadata.get("generation"):  # an index is served with the space that it was built in
            with suppress(NotFound):
                space = self.repository.resolve(f"{space_model(model)}@{generation}")
                needs.append((space.model, space.version))
        return Candidate(model, number, str(manifest.deploy["track"]), manifest.deploy.get("holds", True) is True, tuple(needs))

    def seen_at(self, model: str, now: datetime) -> Seen:
        seen = self.models[model]
        return Seen(seen.candidates, seen.records, seen.published, seen.named, now)

    # acting -------------------------------------------------------------------------------------------------------------------

    def act(self, wanted: Wanted) -> None:
        for move in wanted.move:
            self.move(move)
        for version in wanted.drop:
            self.drop(version)
        for version in wanted.build[:1]:
            self.build(version)

    def build(self, version: Version) -> None:
        """Build, push and write down what became of it."""
        model, number = version
        self.said(f"{model}@{number}: building")
        log = self.repository.images(model)
        try:
            record = self.images.build(model, number)
        except LykeionError as wrong:
            record = failed(str(wrong), self.clock.now(), log.last(number), self.builder)
        self.repository.record_image(model, number, record)
        self.said(f"{model}@{number}: {outcome(record)}")

    def move(self, move: Move) -> None:
        with suppress(Conflict):  # somebody was faster; the next look tells
            reason = "its image is in the registry"
            self.repository.move_alias(move.model, move.alias, move.version, reason, expected=move.expected)
            self.said(f"{move.model}@{move.alias} names version {move.version}")

    def drop(self, version: Version) -> None:
        """The image of a version that is gone, unless another version has the same one."""
        model, number = version
        log = self.repository.images(model)
        others = {record.digest for other in log.versions() if other != number and (record := log.last(other))}
        for record in log.history(number):
            if record.reference and record.digest not in others:
                try:
                    self.images.delete(record.reference)
                except LykeionError as wrong:  # the registry keeps it: that is its own affair
                    self.said(f"{model}@{number}: its image stays in the registry: {wrong}")
        log.drop(number)
        self.models[model] = self.observe(model)
        self.said(f"{model}@{number} is gone, and its image with it")


def outcome(record: ImageRecord) -> str:
    if record.state == "failed":
        return f"failed, the next try is at {record.next_try:%H:%M:%S}: {record.reason}"
    return f"{record.reference} ({record.size / 1e6:.1f} MB, {record.sent / 1e6:.2f} MB sent, {record.seconds:.1f} s)"


def watch(builder: ImageBuilder, stopped: Callable[[], bool], wait: Callable[[float], object]) -> None:
    """Pass after pass until `stopped()`. A repository that does not answer is asked again."""
    while not stopped():
        try:
            pause = builder.pass_()
        except LykeionError as wrong:
            builder.said(f"the repository cannot be read: {wrong}")
            pause = 5.0
        if pause and not stopped():
            wait(pause)
