"""The steps `index` and `report`, run as functions on a catalogue made up in the documented formats."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lykeion.search
from lykeion.components.base import Input, Output, Step, describe, partition_of
from lykeion.components.evaluate import report
from lykeion.components.feature_cache import FEATURE, features_folder
from lykeion.components.index import attribute_name, build
from lykeion.components.item_cache import SegmentWriter, write_table
from lykeion.components.tables import FEATURE_COLUMNS, FEATURES_FILE, ITEMS_FILE, read_items
from lykeion.core.pipelines.requires import evaluate as gate
from lykeion.errors import Invalid
from lykeion.search.extractor import ExtractorDescription, describe_network
from lykeion.search.rows import OWN_COLUMNS, SAID_IN_ANSWERS
from lykeion.search.space import Space
from lykeion.servers.answers import Gathered, items_of
from lykeion.servers.question import Paging

RAW, DIMENSION = 1280, 24
EXTRACTOR = describe_network("made-up", b"network", RAW, 224)


@dataclass
class Volume:
    features: Path
    items: Path
    space: Path
    cache: Path
    raw: dict[bytes, np.ndarray]

    def build(self, to: Path) -> Step:
        to.mkdir()
        step = Step(cache=self.cache)
        space = Input(self.space, "sha256:" + "ab" * 32)
        build(Input(self.features), Input(self.items), space, Output(to), family="photos", step=step)
        return step


def put_features(folder: Path, cache: Path, rows: list[tuple[str, int, bytes]], raw: dict[bytes, np.ndarray]) -> None:
    for partition in range(4):
        mine = [row for row in rows if partition_of(row[0], 4) == partition]
        part = folder / f"part-{partition:05d}"
        part.mkdir(parents=True)
        write_table(
            part / FEATURES_FILE,
            pa.Table.from_pylist([dict(zip(FEATURE_COLUMNS.names, row, strict=True)) for row in mine], FEATURE_COLUMNS),
        )
        EXTRACTOR.write_description(part)
    with SegmentWriter(features_folder(cache, EXTRACTOR.hex), FEATURE) as writer:
        for digest, feature in raw.items():
            writer.add(digest=digest, feature=feature.astype("<f2").tobytes())


def put_space(folder: Path, extractor: ExtractorDescription = EXTRACTOR) -> None:
    random = np.random.default_rng(3)
    folder.mkdir(parents=True)
    centroids = random.standard_normal((8, DIMENSION)).astype(np.float32)
    space = Space(
        extractor=extractor,
        mean=np.zeros(RAW, np.float32),
        projection=np.linalg.qr(random.standard_normal((RAW, DIMENSION)))[0].astype(np.float32),
        centroids=centroids / np.linalg.norm(centroids, axis=1, keepdims=True),
        power=0.5,
    )
    space.write(folder, b"network")


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """60 items of 1 to 3 pictures; `lonely` has no picture, `gone` has one but is in no catalogue."""
    random = np.random.default_rng(5)
    rows = [(f"i{i}", number, hashlib.sha256(f"{i}/{number}".encode()).digest()) for i in range(60) for number in range(1 + i % 3)]
    rows.append(("gone", 0, hashlib.sha256(b"gone").digest()))
    raw = {digest: random.standard_normal(RAW).astype(np.float32) for _, _, digest in rows}
    found = Volume(tmp_path / "features", tmp_path / "items", tmp_path / "space", tmp_path / "cache", raw)
    put_features(found.features, found.cache, rows, raw)
    put_space(found.space)
    found.items.mkdir()
    names = [f"i{i}" for i in reversed(range(60))] + ["lonely"]
    items = pa.table(
        {
            "id": names,
            "title": [f"Title {name}" for name in names],
            "description": [""] * len(names),
            "category": ["a" if name.endswith("1") else "b" for name in names],
            "price": pa.array([float(len(name)) for name in names]),
            "status": ["on_sale"] * len(names),
            "updated_at": pa.array([None] * len(names), pa.timestamp("us", "UTC")),
            "pictures": pa.array([["x"]] * len(names)),
            "colour": ["red" if name.endswith("2") else "blue" for name in names],
            "number": list(range(len(names))),
        }
    )
    write_table(found.items / ITEMS_FILE, items)
    return found


def test_features_and_items_become_an_index(volume: Volume, tmp_path: Path) -> None:
    step = volume.build(tmp_path / "index")
    index = lykeion.search.open(tmp_path / "index")
    assert (index.count, index.manifest.items, index.dimension) == (120, 60, DIMENSION)
    assert step.metrics == {"rows": 120, "items": 60, "rows_left_out": 1, "items_left_out": 1}
    assert step.result == {
        "generation": "sha256:" + "ab" * 32,
        "embedding": Space.load(volume.space).embedding,
        "rows": 120,
        "items": 60,
        "dimension": DIMENSION,
        "kind": "flat",
        "family": "photos",
    }


def test_every_picture_finds_its_own_item_with_its_attributes(volume: Volume, tmp_path: Path) -> None:
    volume.build(tmp_path / "index")
    index, space = lykeion.search.open(tmp_path / "index"), Space.load(volume.space)
    for i in range(60):
        for number in range(1 + i % 3):
            digest = hashlib.sha256(f"{i}/{number}".encode()).digest()
            best = index.search_items(space.project(volume.raw[digest][None]), 1)[0]
            assert (best.id, best.picture) == (f"i{i}", digest.hex())
            assert best.fields["title"] == f"Title i{i}"
            assert best.fields["attribute_number"] == 59 - i


def test_an_extra_column_can_be_filtered_by(volume: Volume, tmp_path: Path) -> None:
    volume.build(tmp_path / "index")
    index = lykeion.search.open(tmp_path / "index")
    found = index.search_items(index.vectors_of("i5")[0], 100, index.filter(["colour:red", "attribute_number:<30"]))
    assert {hit.id for hit in found} == {f"i{i}" for i in range(30, 60) if i % 10 == 2}


def test_no_column_of_a_catalogue_is_hidden_by_a_name_that_is_taken(volume: Volume, tmp_path: Path) -> None:
    """Nor by another column that is called as it would be."""
    taken = ["item", "item_hash", "picture", "deleted", "score", "duplicates", "attribute_score"]
    items = read_items(volume.items)
    for name in taken:
        items = items.append_column(name, pa.array([f"{name} of {one}" for one in items["id"].to_pylist()]))
    write_table(volume.items / ITEMS_FILE, items)
    volume.build(tmp_path / "index")
    index = lykeion.search.open(tmp_path / "index")
    for name in taken:
        wanted = index.filter([f"attribute_{name}:{name} of i5"])
        (hit,) = index.search_items(index.vectors_of("i5")[0], 10, wanted)
        shown = items_of(Gathered([[hit]]), Paging(10, collapse=0.9))[0][0]
        assert (shown["id"], shown[f"attribute_{name}"]) == ("i5", f"{name} of i5")
    assert isinstance(shown["score"], float)
    assert shown["duplicates"] == []


@given(st.lists(st.sampled_from(["id", "score", "number", "colour", *OWN_COLUMNS]) | st.text(), unique=True), st.data())
def test_columns_of_different_names_stay_so(names: list[str], data: st.DataObject) -> None:
    names = list(dict.fromkeys("attribute_" * data.draw(st.integers(0, 3)) + name for name in names))
    named = [attribute_name(name) for name in names]
    assert len(set(named)) == len(names)
    assert not {*OWN_COLUMNS, *SAID_IN_ANSWERS}.intersection(named)


def test_the_same_inputs_give_the_same_bytes(volume: Volume, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        volume.build(tmp_path / name)
        contents.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"index.json", "rows.fp16", "rows.arrow"}


def test_the_manifest_names_the_digests_of_its_files(volume: Volume, tmp_path: Path) -> None:
    volume.build(tmp_path / "index")
    said = json.loads((tmp_path / "index" / "index.json").read_text())
    assert said["format"] == 1
    assert said["tier"] == "all"
    for name, digest in said["files"].items():
        assert hashlib.sha256((tmp_path / "index" / name).read_bytes()).hexdigest() == digest


def test_a_space_of_another_extractor_is_refused(volume: Volume, tmp_path: Path) -> None:
    volume.space = tmp_path / "other-space"
    put_space(volume.space, describe_network("another", b"other", RAW, 224))
    with pytest.raises(Invalid, match="fitted on features of another"):
        volume.build(tmp_path / "index")


def test_a_feature_without_direction_is_refused(volume: Volume, tmp_path: Path) -> None:
    zeros = np.zeros((1280, DIMENSION), np.float32)
    space = Space.load(volume.space)
    volume.space = tmp_path / "flat-space"
    volume.space.mkdir()
    Space(space.extractor, space.mean, zeros, space.centroids, 0.5).write(volume.space, b"network")
    with pytest.raises(Invalid, match="zero or not finite"):
        volume.build(tmp_path / "index")


def evaluate(index: Path, to: Path, **parameters: Any) -> Step:
    to.mkdir()
    step = Step()
    report(Input(index), Output(to), step=step, **parameters)
    return step


def test_the_report_says_how_much_the_index_finds(volume: Volume, tmp_path: Path) -> None:
    volume.build(tmp_path / "index")
    step = evaluate(tmp_path / "index", tmp_path / "report", queries=50)
    assert step.metrics["recall_at_10"] == 1
    assert step.metrics["queries"] == 50
    said = json.loads((tmp_path / "report" / "report.json").read_text())
    assert said["recall_at_10"] == 1
    assert "| rows | 120 |" in (tmp_path / "report" / "report.md").read_text()


def test_the_report_names_the_depth_that_was_asked_for(volume: Volume, tmp_path: Path) -> None:
    volume.build(tmp_path / "index")
    assert "recall_at_3" in evaluate(tmp_path / "index", tmp_path / "report", k=3).metrics


def test_the_report_tells_a_bad_index_from_a_good_one(make: Callable[..., Any], large: Any, tmp_path: Path) -> None:
    good = evaluate(large.folder, tmp_path / "good", queries=300).metrics["recall_at_10"]
    worse = tmp_path / "worse"
    worse.mkdir()
    for file in large.folder.iterdir():
        if file.name != "index.json":
            (worse / file.name).symlink_to(file)
    said = json.loads((large.folder / "index.json").read_text())
    said["tuning"]["nprobe"] = 1
    (worse / "index.json").write_text(json.dumps(said))
    assert good >= 0.985
    assert evaluate(worse, tmp_path / "bad", queries=300).metrics["recall_at_10"] < good - 0.05


def test_an_empty_catalogue_makes_an_empty_index_that_passes_no_gate_on_recall(volume: Volume, tmp_path: Path) -> None:
    items = pa.ipc.open_file(str(volume.items / ITEMS_FILE)).read_all()
    write_table(volume.items / ITEMS_FILE, items.slice(0, 0))
    step = volume.build(tmp_path / "index")
    assert step.metrics["rows"] == 0
    metrics = evaluate(tmp_path / "index", tmp_path / "report").metrics
    assert metrics["queries"] == 0
    assert "recall_at_10" not in json.loads((tmp_path / "report" / "report.json").read_text())
    assert gate("metrics.recall_at_10 >= 0.95", metrics) == (
        False,
        "no step reported the metric 'recall_at_10' (reported were: cpu_seconds_per_query, queries)",
    )


def test_the_components_are_steps() -> None:
    made = describe(build, "lykeion.components.index:build")
    assert made.inputs == {"features": "Features", "items": "Items", "space": "Space"}
    assert made.outputs == {"index": "Index"}
    assert list(made.parameters) == ["family"]
    assert describe(report, "lykeion.components.evaluate:report").inputs == {"index": "Index"}
