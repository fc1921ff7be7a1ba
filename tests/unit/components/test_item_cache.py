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


def test_small_segments_are_put_together_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_cache, "COMPACT_ABOVE", 3)
    for number in range(6):
        put(tmp_path, [number, 0])
    assert compact(tmp_path, SCHEMA) == 6
    assert len(segment_files(tmp_path)) == 1
    assert len(found(tmp_path, range(6))) == 6


def test_compacting_can_drop_what_nobody_refers_to(tmp_path: Path) -> None:
    put(tmp_path, range(10))
    compact(tmp_path, SCHEMA, keep=digests([key(3), key(4)]))
    assert set(found(tmp_path, range(10)).values()) == {3, 4}
    compact(tmp_path, SCHEMA, keep=digests([]))
    assert segment_files(tmp_path) == []


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
