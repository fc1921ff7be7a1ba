"""Which versions go, and what removing leaves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.models.manifest import Claim
from lykeion.core.models.retention import Retention, expendable
from lykeion.errors import Conflict, Invalid, NotFound
from lykeion.repository import Repository

NOW = datetime(2026, 11, 20, tzinfo=UTC)
AGES = st.lists(st.integers(0, 100), max_size=12)


@given(AGES, st.sets(st.integers(1, 12)), st.integers(0, 12), st.integers(0, 100))
def test_a_version_goes_only_when_nothing_keeps_it(ages: list[int], needed: set[int], recent: int, days: int) -> None:
    versions = [(number, NOW - timedelta(days=age)) for number, age in enumerate(ages, 1)]
    going = expendable(versions, needed, Retention(recent, timedelta(days=days)), NOW)
    for number, created in versions:
        is_recent = sum(other > number for other, _ in versions) < recent
        is_young = NOW - created < timedelta(days=days)
        assert (number in going) == (number not in needed and not is_recent and not is_young)
    assert going == sorted(going)


@pytest.fixture
def five(repository: Repository, folder) -> Repository:
    for n in range(1, 6):
        repository.publish("photos", folder({"a": b"%d" % n}, f"v{n}"))
    return repository


def test_pruning_keeps_aliases_pins_and_the_newest(five: Repository) -> None:
    five.move_alias("photos", "stable", 1)
    keep = Retention(recent=2)
    assert five.prune("photos", keep, pinned={2}, dry_run=True) == [3]
    assert five.versions("photos") == [1, 2, 3, 4, 5]
    assert five.prune("photos", keep, pinned={2}) == [3]
    assert five.versions("photos") == [1, 2, 4, 5]


def test_pruning_keeps_the_young(five: Repository) -> None:
    claimed = Claim.from_bytes(3, five.store.get("photos/claims/3.json")).at
    keep = Retention(recent=0, age=timedelta(hours=1))
    assert five.prune("photos", keep, claimed + timedelta(hours=1)) == [1, 2, 3]


def test_a_damaged_version_does_not_keep_the_others_from_being_pruned(five: Repository) -> None:
    five.store.put("photos/1/manifest.json", b"{")
    assert five.prune("photos", Retention(recent=3)) == [1, 2]


def test_a_version_that_an_alias_names_is_not_removed(five: Repository) -> None:
    five.move_alias("photos", "stable", 3)
    with pytest.raises(Conflict, match="photos@stable names; move the alias first"):
        five.remove("photos", 3)
    five.remove("photos", 3, force=True)
    assert five.versions("photos") == [1, 2, 4, 5]
    assert five.alias("photos", "stable") is None


def test_nothing_of_a_removed_version_stays_but_its_number_is_not_given_again(five: Repository, folder) -> None:
    digest = five.manifest("photos", 5).digest
    five.remove("photos", 5)
    assert list(five.store.list("photos/5")) == []
    with pytest.raises(NotFound):
        five.resolve(f"photos@{digest}")
    assert five.publish("photos", folder({"a": b"5"}, "v5")).version == 6
    assert five.resolve(f"photos@{digest}").version == 6


@pytest.mark.parametrize("version", [9, 0, -1])
def test_what_is_not_there_cannot_be_removed(five: Repository, version: int) -> None:
    with pytest.raises(NotFound if version > 0 else Invalid):
        five.remove("photos", version)


def test_pruning_collects_what_interrupted_uploads_left(five: Repository) -> None:
    digest = "sha256:" + "7" * 64
    five._claim("photos", digest, None)
    five.store.put("photos/6/half", b"x")
    keep, start = Retention(), five.now()
    five.prune("photos", keep, start + timedelta(hours=23))
    assert list(five.store.list("photos/6")) == [("photos/6/half", 1)]
    five.prune("photos", keep, start + timedelta(hours=25))
    assert list(five.store.list("photos/6")) == []
    assert five._claim("photos", digest, None).version == 7


def test_an_upload_whose_claim_is_taken_away_meanwhile_gets_another(repository: Repository, folder) -> None:
    """Between its files and its manifest, a cleaner collects it."""
    create = repository.store.create

    def create_after_cleaning(key: str, data: bytes) -> bool:
        if key == "photos/1/manifest.json":
            repository.prune("photos", Retention(), NOW + timedelta(days=400))
        return create(key, data)

    repository.store.create = create_after_cleaning
    assert repository.publish("photos", folder({"a": b"1"})).version == 2
    assert repository.versions("photos") == [2]
    assert repository.verify("photos", 2) == []
