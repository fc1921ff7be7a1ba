"""The second example: text and pictures, each through its own extractor, make one estimator that knows more than either alone."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import skops.io
from scipy import sparse

from lykeion.components import estimators, text
from lykeion.components.base import Input, Output, Step
from lykeion.components.matrices import read_matrix, write_matrix
from lykeion.errors import Corrupt, Invalid

EXAMPLE = Path(__file__).parents[3] / "examples" / "listing-category"


@pytest.fixture
def step(pipeline) -> Step:
    return pipeline.step()


def output(pipeline, name: str) -> Output:
    return Output(pipeline.folder(pipeline.new(name)))


def classify(pipeline, items: Path, features: Path, **options: object) -> tuple[Path, Step]:
    step, model = pipeline.step(), output(pipeline, "model")
    estimators.classifier(Input(items), Input(features), model, step=step, **options)
    return model.path, step


def test_text_and_pictures_together_say_what_neither_says_alone(
    pipeline, step: Step, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(EXAMPLE / "make_listings.py"))["main"](tmp_path / "listings")
    items = pipeline.listings(tmp_path / "listings" / "listings.csv")
    words, seen, joined = (output(pipeline, name) for name in ("text", "seen", "joined"))
    text.hashed(Input(items), words, step=step)
    features = pipeline.extract(pipeline.collect(items))
    estimators.picture_features(Input(features), seen, step=step)
    estimators.concatenate(Input(words.path), Input(seen.path), joined, step=step)
    accuracy = {}
    for name, matrix in (("text", words), ("pictures", seen), ("both", joined)):
        folder, done = classify(pipeline, items, matrix.path)
        accuracy[name] = done.metrics["accuracy"]
    assert accuracy["both"] > 0.9 > max(accuracy["text"], accuracy["pictures"])
    assert done.metrics["majority"] < 0.4
    assert done.metrics["tested"] > 20
    model = skops.io.load(folder / "model.skops", trusted=[])
    given = read_matrix(joined.path)
    assert len(model.predict(given.values)) == 240
    said = json.loads((folder / "model.json").read_text())
    assert said["classes"] == model.classes_.tolist()
    assert sum(columns for _, columns in said["features"]) == given.values.shape[1]


def test_items_that_lack_one_kind_of_feature_are_left_out(pipeline, step: Step, tmp_path: Path) -> None:
    for name, ids, columns in (("a", ["x", "y", "z"], 2), ("b", ["z", "w", "x"], 3)):
        (tmp_path / name).mkdir()
        write_matrix(tmp_path / name, ids, np.arange(len(ids) * columns).reshape(len(ids), columns), [(name, columns)])
    joined = output(pipeline, "joined")
    estimators.concatenate(Input(tmp_path / "a"), Input(tmp_path / "b"), joined, step=step)
    found = read_matrix(joined.path)
    assert found.ids == ["x", "z"]
    assert found.values.toarray().tolist() == [[0, 1, 6, 7, 8], [4, 5, 0, 1, 2]]
    assert found.blocks == [("a", 2), ("b", 3)]


def test_a_matrix_is_read_as_it_was_written_and_is_the_same_bytes(tmp_path: Path) -> None:
    values = sparse.random(20, 30, 0.2, random_state=1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_matrix(tmp_path / name, [str(n) for n in range(20)], values, [("x", 30)])
    assert (tmp_path / "a" / "matrix.npz").read_bytes() == (tmp_path / "b" / "matrix.npz").read_bytes()
    assert np.allclose(read_matrix(tmp_path / "a").values.toarray(), values.toarray())


def test_a_folder_without_a_matrix_is_said(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match="matrix"):
        read_matrix(tmp_path)


@pytest.fixture
def labelled(pipeline, tmp_path: Path) -> tuple[Path, Path]:
    """Items whose colour is plain from one number."""
    file = tmp_path / "x.csv"
    file.write_text("id,title,pictures,colour\n" + "".join(f"{n},t{n},x.png,{('red', 'blue')[n % 2]}\n" for n in range(100)))
    items = pipeline.listings(file)
    folder = tmp_path / "matrix"
    folder.mkdir()
    write_matrix(folder, [str(n) for n in range(100)], np.array([[n % 2, 1] for n in range(100)]), [("x", 2)])
    return items, folder


def test_a_model_is_measured_on_items_it_has_not_seen(pipeline, labelled: tuple[Path, Path]) -> None:
    _, step = classify(pipeline, *labelled, target="colour", test_share=0.3)
    assert step.metrics["accuracy"] == 1.0
    assert step.metrics["tested"] + step.result["trained"] == 100
    assert 15 < step.metrics["tested"] < 45


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "shade"}, "there is no column 'shade'"),
        ({"target": "category"}, "two classes"),
        ({"target": "colour", "fewest": 60}, "two classes"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_said(pipeline, labelled: tuple[Path, Path], options: dict, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        classify(pipeline, *labelled, **options)


def test_a_text_column_that_is_not_there_is_said(pipeline, step: Step, labelled: tuple[Path, Path]) -> None:
    with pytest.raises(Invalid, match="'body'"):
        text.hashed(Input(labelled[0]), output(pipeline, "text"), columns="title,body", step=step)
