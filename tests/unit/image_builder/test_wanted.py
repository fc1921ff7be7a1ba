"""Which images are built and where aliases go follows from what is there, whatever happened before."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.records import FIRST_PAUSE, LONGEST_PAUSE, ImageRecord, LayerRecord, failed
from lykeion.core.images.wanted import Candidate, Move, Seen, asks_for_image, decide

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PUSHED = ImageRecord("pushed", NOON, "r/photos@sha256:1", "sha256:1")


def seen(candidates=(), records=None, gone=(), named=None, now=NOON) -> Seen:
    candidates = tuple(candidates)
    published = {version for candidate in candidates for version in candidate.versions} - set(gone)
    return Seen(candidates, records or {}, frozenset(published), named or {}, now)


def photos(version: int, holds: bool = True, needs=()) -> Candidate:
    return Candidate("photos", version, "stable", holds, needs)


def test_a_version_without_an_image_is_built_the_newest_first():
    assert decide(seen([photos(1), photos(3), photos(2)])).build == (("photos", 3), ("photos", 2), ("photos", 1))


def test_what_a_version_is_served_with_is_built_before_it_and_once():
    space = (("photos-space", 4),)
    assert decide(seen([photos(1, needs=space), photos(2, needs=space)])).build == (("photos-space", 4), ("photos", 2), ("photos", 1))


def test_an_alias_moves_when_all_images_are_there():
    candidate = photos(2, needs=(("photos-space", 1),))
    named = {("photos", "stable"): (1,)}
    assert decide(seen([candidate], {("photos", 2): PUSHED}, named=named)).move == ()
    both = {("photos", 2): PUSHED, ("photos-space", 1): PUSHED}
    assert decide(seen([candidate], both, named=named)).move == (Move("photos", "stable", 2, expected=1),)


def test_a_version_whose_gate_did_not_hold_gets_its_image_but_no_alias():
    wanted = decide(seen([photos(2, holds=False)]))
    assert (wanted.build, wanted.move) == ((("photos", 2),), ())
    assert decide(seen([photos(2, holds=False)], {("photos", 2): PUSHED})).move == ()


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((), Move("photos", "stable", 5, expected=0)),
        ((1, 4), Move("photos", "stable", 5, expected=4)),
        ((1, 4, 0), Move("photos", "stable", 5, expected=0)),  # it was taken away by hand; a newer version brings it back
        ((1, 5), None),
        ((1, 5, 1), None),  # rolled back by hand
        ((1, 7), None),  # moved on by hand
    ],
)
def test_an_alias_never_goes_back_to_what_it_named_before(named, expected):
    wanted = decide(seen([photos(5)], {("photos", 5): PUSHED}, named={("photos", "stable"): named}))
    assert wanted.move == ((expected,) if expected else ())


def test_a_failed_build_waits_ever_longer_up_to_an_hour():
    record = None
    pauses = []
    for _ in range(12):
        record = failed("the registry is down", NOON, record, "1")
        pauses.append(record.next_try - NOON)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert pauses == sorted(pauses)


def test_what_waits_is_not_built_and_it_is_said_when_to_look_again():
    record = failed("why", NOON, None, "1")
    early = decide(seen([photos(1)], {("photos", 1): record}, now=NOON + timedelta(seconds=5)))
    assert (early.build, early.look_again) == ((), FIRST_PAUSE - timedelta(seconds=5))
    assert early.waiting == {("photos", 1): record.next_try}
    assert decide(seen([photos(1)], {("photos", 1): record}, now=record.next_try)).build == (("photos", 1),)


def test_images_of_versions_that_are_gone_are_dropped():
    assert decide(seen([photos(2)], {("photos", 1): PUSHED, ("photos", 2): PUSHED})).drop == (("photos", 1),)


@pytest.mark.parametrize(
    ("deploy", "asks"),
    [
        ({}, False),
        ({"serving": "a", "track": "stable"}, False),
        ({"track": "stable", "image": False}, False),
        ({"track": "stable", "image": "yes"}, False),
        ({"image": True}, False),
        ({"serving": "a", "track": "stable", "image": True, "holds": False}, True),
    ],
)
def test_which_deploy_policies_ask_for_an_image(deploy, asks):
    assert asks_for_image(deploy) is asks


events = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.booleans()),
        st.tuples(st.just("build"), st.sampled_from(["pushed", "failed"])),
        st.tuples(st.just("by hand"), st.integers(0, 6)),
        st.tuples(st.just("remove"), st.integers(1, 6)),
        st.tuples(st.just("wait"), st.integers(1, 7200)),
    ),
    max_size=30,
)


class History:
    """A repository and a builder that does what is decided, one thing at a time, and may be ended after any."""

    def __init__(self) -> None:
        self.candidates: dict[int, Candidate] = {}
        self.records: dict[tuple[str, int], ImageRecord] = {}
        self.named: list[int] = []
        self.now = NOON
        self.moved_to: list[int] = []

    def look(self):
        return decide(
            Seen(
                tuple(self.candidates.values()),
                dict(self.records),
                frozenset(("photos", number) for number in self.candidates),
                {("photos", "stable"): tuple(self.named)},
                self.now,
            )
        )

    def step(self, outcome: str = "pushed") -> bool:
        wanted = self.look()
        for move in wanted.move:
            assert move.expected == (self.named[-1] if self.named else 0)
            assert self.candidates[move.version].holds
            assert move.version > max(self.named, default=0)
            self.named.append(move.version)
            self.moved_to.append(move.version)
        for version in wanted.drop:
            del self.records[version]
        for version in wanted.build[:1]:
            assert version not in self.records or self.records[version].state == "failed"
            self.records[version] = PUSHED if outcome == "pushed" else failed("why", self.now, self.records.get(version), "1")
        return bool(wanted.move or wanted.drop or wanted.build)

    def do(self, what: str, how) -> None:
        if what == "publish":
            number = max([*self.candidates, *(version for _, version in self.records), 0]) + 1
            self.candidates[number] = photos(number, holds=how)
        elif what == "build":
            self.step(how)
        elif what == "by hand" and how in {0, *self.candidates}:
            self.named.append(how)
        elif what == "remove" and how in self.candidates and how != (self.named[-1] if self.named else 0):
            del self.candidates[how]
        elif what == "wait":
            self.now += timedelta(seconds=how)


@given(events)
def test_in_any_history_every_version_ends_with_one_image_and_the_alias_at_the_newest_that_may_have_it(happened):
    history = History()
    for what, how in happened:
        history.do(what, how)
    before = list(history.named)
    for _ in range(100):
        history.now += timedelta(hours=2)
        if not history.step():
            break
    else:
        raise AssertionError("it never comes to rest")
    assert set(history.records) == {("photos", number) for number in history.candidates}
    assert all(record.state == "pushed" for record in history.records.values())
    newest = max((number for number, candidate in history.candidates.items() if candidate.holds), default=0)
    assert history.named[-1:] == ([newest] if newest > max(before, default=0) else before[-1:])
    assert history.moved_to == sorted(set(history.moved_to))


@given(events)
def test_what_is_decided_twice_of_the_same_is_the_same(happened):
    history = History()
    for what, how in happened:
        history.do(what, how)
    assert history.look() == history.look()


def test_a_record_is_read_back_as_it_was_written_and_by_older_builders_too():
    record = ImageRecord(
        "pushed",
        NOON,
        "r/a@sha256:1",
        "sha256:1",
        (LayerRecord("base", "Debian", "sha256:2", 7, "sent"),),
        7,
        1.5,
        "0.1",
        "",
        0,
        ("libGL.so.1",),
    )
    assert ImageRecord.from_bytes(record.to_bytes()) == record
    assert ImageRecord.from_json({**record.to_json(), "of_the_future": 1}) == record
    assert record.size == 7
