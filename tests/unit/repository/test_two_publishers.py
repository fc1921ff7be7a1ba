"""Two publishers of one repository, whatever they do and in whatever order, see one history: that of a naive model of it."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lykeion.core.models.retention import Retention
from lykeion.errors import Conflict, NotFound
from lykeion.repository import Repository
from lykeion.repository.local_store import LocalStore
from lykeion.testing.builders import NOON
from lykeion.testing.storage import MemoryStore

WHO = st.integers(0, 1)
CONTENTS = st.integers(0, 3)
WINDOWS = st.sampled_from([None, ("2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+00:00")])
VERSIONS = st.integers(1, 5)
ALIASES = st.sampled_from(["stable", "canary"])


class TwoPublishers(RuleBasedStateMachine):
    """`there`: number -> (content, window); `named`: alias -> what it named, the newest last; `given`: how many numbers were given."""

    @initialize(on_disk=st.booleans())
    def begin(self, on_disk: bool) -> None:
        self.folder = TemporaryDirectory()
        self.at = NOON
        store = LocalStore(Path(self.folder.name) / "repository") if on_disk else MemoryStore()
        self.publishers = [Repository(store, self.now), Repository(store, self.now)]
        self.there: dict[int, tuple[int, tuple[str, str] | None]] = {}
        self.named: dict[str, list[int]] = {}
        self.given = 0
        self.told = 0  # entries that the journal must have
        for content in range(4):
            (Path(self.folder.name) / str(content)).mkdir()
            (Path(self.folder.name) / str(content) / "model.bin").write_bytes(b"%d" % content)
        for content in range(3):
            self.publish(content % 2, content, None)

    def now(self):
        self.at += timedelta(seconds=1)
        return self.at

    def current(self, alias: str) -> int:
        return self.named.get(alias, [0])[-1]

    @rule(who=WHO, content=CONTENTS, window=WINDOWS)
    def publish(self, who, content, window) -> None:
        made = self.publishers[who].publish("photos", Path(self.folder.name) / str(content), window=window)
        same = [number for number, what in self.there.items() if what == (content, window)]
        if same:
            assert made.version == same[0]
            return
        self.given += 1
        self.told += 1
        assert made.version == self.given  # a number is never given twice
        self.there[made.version] = (content, window)

    @rule(who=WHO, alias=ALIASES, version=VERSIONS, expected=st.integers(0, 4) | st.none())
    def move(self, who, alias, version, expected) -> None:
        def moved():
            return self.publishers[who].move_alias("photos", alias, version, expected=expected)

        if version not in self.there:
            with pytest.raises(NotFound):
                moved()
        elif expected not in (None, self.current(alias)):
            with pytest.raises(Conflict):
                moved()
        elif version == self.current(alias):
            assert moved() is None
        else:
            assert moved().previous == self.current(alias)
            self.named.setdefault(alias, []).append(version)
            self.told += 1

    @rule(who=WHO, alias=ALIASES)
    def drop(self, who, alias) -> None:
        made = self.publishers[who].drop_alias("photos", alias)
        assert (made is None) == (self.current(alias) == 0)
        if made:
            self.named[alias].append(0)
            self.told += 1

    @rule(who=WHO, version=VERSIONS, force=st.booleans())
    def remove(self, who, version, force) -> None:
        naming = [alias for alias in self.named if self.current(alias) == version]
        if version not in self.there or (naming and not force):
            with pytest.raises(NotFound if version not in self.there else Conflict):
                self.publishers[who].remove("photos", version, force=force)
            return
        self.publishers[who].remove("photos", version, force=force)
        del self.there[version]
        for alias in naming:
            self.named[alias].append(0)
        self.told += 1 + len(naming)

    @rule(who=WHO, recent=st.integers(0, 2), pinned=st.sets(VERSIONS, max_size=1))
    def prune(self, who, recent, pinned) -> None:
        kept = {*sorted(self.there)[len(self.there) - min(recent, len(self.there)) :], *pinned, *map(self.current, self.named)}
        going = [number for number in sorted(self.there) if number not in kept]
        assert self.publishers[who].prune("photos", Retention(recent=recent), pinned=pinned) == going
        for number in going:
            del self.there[number]
        self.told += len(going)

    @invariant()
    def both_see_the_same(self) -> None:
        for repository in self.publishers:
            assert repository.versions("photos") == sorted(self.there)
            assert repository.aliases("photos") == {alias: self.current(alias) for alias in self.named if self.current(alias)}
            assert all([move.version for move in repository.history("photos", alias)] == named for alias, named in self.named.items())
            assert [entry["n"] for entry in repository.journal()] == list(range(1, self.told + 1))
            assert repository.models() == (["photos"] if self.there else [])

    @invariant()
    def a_content_is_found_by_its_digest_in_its_newest_version(self) -> None:
        for number, (content, _) in self.there.items():
            digest = self.publishers[0].manifest("photos", number).digest
            newest = max(other for other, what in self.there.items() if what[0] == content)
            assert self.publishers[1].resolve(f"photos@{digest}").version == newest
            assert self.publishers[1].verify("photos", number) == []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestTwoPublishers = TwoPublishers.TestCase
TestTwoPublishers.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
