"""Segments are only added, each seen whole or not at all; what is found in them is what was put in, whoever wrote it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.components import item_cache
from lykeion.components.feature_cache import FEATURE, RAW, gather
from lykeion.components.item_cache import (
    DIGEST,
    PictureStore,
    SegmentWriter,
    compact,
    digests,
    find,
    read_table,
    segment_files,
    write_table,
)
from lykeion.errors import Corrupt

SCHEMA = pa.schema([("digest", DIGEST), ("value", pa.int64())])


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def put(folder: Path, numbers: Sequence[int]) -> None:
    with SegmentWriter(folder, SCHEMA) as writer:
        for number in numbers:
            writer.add(digest=key(number), value=number)


def found(folder: Path, numbers: Sequence[int]) -> dict[bytes, int]:
    table = find(folder, digests([key(number) for number in numbers]), SCHEMA)
    assert table.num_rows == len(set(table["digest"].to_pylist()))
    return dict(zip(table["digest"].to_pylist(), table["value"].to_pylist(), strict=True))


def test_a_folder_with_a_damaged_segment_is_left_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, range(10))
    put(tmp_path, range(10, 20))
    damaged = Path(segment_files(tmp_path)[0])
    damaged.write_bytes(b"no arrow")
    assert compact(tmp_path, every([])) == (0, 0)
    assert len(segment_files(tmp_path)) == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=5), st.sets(st.integers(0, 40)))
def test_what_is_found_is_what_a_dict_would_hold(
    tmp_path_factory: pytest.TempPathFactory, segments: list[list[int]], wanted: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("segments")
    for numbers in segments:
        put(folder, numbers)
    held = {number for numbers in segments for number in numbers}
    assert found(folder, sorted(wanted)) == {key(number): number for number in wanted & held}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert found(tmp_path / "none", [1]) == {}


def test_a_long_run_is_kept_in_segments_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_cache, "SEGMENT_ROWS", 4)
    writer = SegmentWriter(tmp_path, SCHEMA)
    for number in range(10):
        writer.add(digest=key(number), value=number)
    assert len(found(tmp_path, range(10))) == 8


def test_what_was_worked_out_is_kept_though_the_step_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with SegmentWriter(tmp_path, SCHEMA) as writer:
            writer.add(digest=key(1), value=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert found(tmp_path, [1]) == {key(1): 1}


def test_half_a_table_is_never_seen(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        write_table(tmp_path / "segment-x.arrow", None)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_segment_is_said(tmp_path: Path) -> None:
    put(tmp_path, [1, 2])
    path = Path(*segment_files(tmp_path))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(Corrupt, match="damaged"):
        read_table(path)


def every(numbers: Sequence[int]) -> frozenset[str]:
    return frozenset(key(number).hex() for number in numbers)


def test_small_segments_are_put_together_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_cache, "COMPACT_ABOVE", 3)
    for number in range(1, 7):
        put(tmp_path, [number, 0])
    rows, size = compact(tmp_path, every(range(7)))
    assert rows == 5, "the copies of 0"
    assert size > 0
    assert len(segment_files(tmp_path)) == 1
    assert len(found(tmp_path, range(7))) == 7


def test_compacting_drops_what_nobody_refers_to(tmp_path: Path) -> None:
    put(tmp_path, range(10))
    before = Path(*segment_files(tmp_path)).read_bytes()
    assert compact(tmp_path, every([3, 4]), dry_run=True)[0] == 8
    assert Path(*segment_files(tmp_path)).read_bytes() == before
    assert compact(tmp_path, every([3, 4]))[0] == 8
    assert set(found(tmp_path, range(10)).values()) == {3, 4}
    assert compact(tmp_path, every([]))[0] == 2
    assert segment_files(tmp_path) == []
    assert compact(tmp_path, every([])) == (0, 0)


def test_few_rows_are_not_worth_writing_all_others_anew(tmp_path: Path) -> None:
    put(tmp_path, range(100))
    assert compact(tmp_path, every(range(90))) == (0, 0)
    assert compact(tmp_path, every(range(89)))[0] == 11


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=6), max_size=6), st.sets(st.integers(0, 12)))
def test_compacting_is_what_a_dictionary_would_do(
    tmp_path_factory: pytest.TempPathFactory, segments: list[list[int]], kept: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("segments")
    for segment in segments:
        put(folder, segment)
    there = {number for segment in segments for number in segment}
    written = sum(len(segment) for segment in segments)
    rows, _ = compact(folder, every(sorted(kept)))
    assert rows in (0, written - len(there & kept))
    assert set(found(folder, range(13)).values()) == (there & kept if rows else there)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=20))
def test_gathered_features_are_in_the_order_asked_for(tmp_path_factory: pytest.TempPathFactory, wanted: list[int]) -> None:
    folder = tmp_path_factory.mktemp("features")
    for part in ((0, 3, 6), (1, 4, 7, 3), (2, 5, 8)):
        with SegmentWriter(folder, FEATURE) as writer:
            for number in part:
                writer.add(digest=key(number), feature=np.full(RAW, number, "<f2").tobytes())
    features = gather(folder, digests([key(number) for number in wanted]))
    assert features[:, 0].tolist() == wanted
    assert features[:, -1].tolist() == wanted


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    assert store.add(b"abc") == store.add(b"abc")
    assert len(list(store)) == 1
    assert store.holds(store.add(b"abc"), 3)
    assert not store.holds(key(1), 3)
