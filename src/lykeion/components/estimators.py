"""From features to a model: feature matrices side by side, and a linear classifier that is measured on items it has not seen."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import skops.io
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from lykeion.components.base import Input, Output, Range, Step, component, partition_of
from lykeion.components.feature_cache import read
from lykeion.components.matrices import Matrix, read_matrix, write_matrix
from lykeion.components.tables import Features, Items, read_items
from lykeion.errors import Invalid
from lykeion.search.space import normalised

MODEL, DESCRIPTION = "model.skops", "model.json"
BUCKETS = 1000  # of items, for a split that new items do not change


class Model:
    """A folder with `model.skops` (a scikit-learn estimator) and `model.json` (what goes in and what comes out)."""


@component(role="feature")
def picture_features(features: Input[Features], pictures: Output[Matrix], *, step: Step) -> None:
    """Each item's pictures as one row: the mean of their raw features, of length 1."""
    raw = read(features.path, step.cache)
    ids = sorted(set(raw.items))
    places = {item: row for row, item in enumerate(ids)}
    rows = np.array([places[item] for item in raw.items], np.int64)
    totals = np.zeros((len(ids), raw.features.shape[1]), np.float32)
    np.add.at(totals, rows, normalised(raw.features))
    write_matrix(pictures.path, ids, normalised(totals), [("pictures", totals.shape[1])])
    step.metric("items", len(ids))


@component(role="feature")
def concatenate(first: Input[Matrix], second: Input[Matrix], joined: Output[Matrix], *, step: Step) -> None:
    """Two matrices side by side: the items that are in both."""
    left, right = read_matrix(first.path), read_matrix(second.path)
    places = {item: row for row, item in enumerate(right.ids)}
    both = [(row, places[item]) for row, item in enumerate(left.ids) if item in places]
    rows, others = (np.array(column, np.int64) for column in zip(*both, strict=True)) if both else (np.empty(0, np.int64),) * 2
    values = sparse.hstack([left.values[rows], right.values[others]])
    write_matrix(joined.path, [left.ids[row] for row in rows], values, [*left.blocks, *right.blocks])
    step.metric("items", len(rows))


@component(role="estimator")
def classifier(
    items: Input[Items],
    features: Input[Matrix],
    model: Output[Model],
    *,
    target: str = "category",
    fewest: Annotated[int, Range(2)] = 10,
    test_share: Annotated[float, Range(0.01, 0.9)] = 0.2,
    regularisation: Annotated[float, Range(1e-4, 1e4)] = 10.0,
    step: Step,
) -> None:
    """Fit logistic regression to say an item's `target`, and measure it on a share of items that the fit does not see.

    fewest: classes with fewer items are left out. The items of the test are chosen by their ids' hash. Metrics: accuracy, macro_f1,
    and majority, the accuracy of always saying the most frequent class.
    """
    given = read_matrix(features.path)
    table = read_items(items.path)
    if target not in table.column_names:
        raise Invalid(f"target: there is no column {target!r}; the items have {', '.join(table.column_names)}")
    labels = dict(zip(table["id"].to_pylist(), map(str, table[target].to_pylist()), strict=True))
    wanted = [labels.get(item, "") for item in given.ids]
    chosen = usable(wanted, fewest)
    in_test = np.array([partition_of(item, BUCKETS) < test_share * BUCKETS for item in given.ids], bool)
    truth = np.array(wanted, object)
    train, test = chosen & ~in_test, chosen & in_test
    if len(set(truth[train])) < 2 or not test.any():
        raise Invalid(f"target: {target!r} needs two classes of {fewest} items or more, and items to test on; there are {Counter(wanted)}")
    fitted = LogisticRegression(C=regularisation, max_iter=300).fit(given.values[train], truth[train].astype(str))
    said = fitted.predict(given.values[test])
    known = truth[test].astype(str)
    skops.io.dump(fitted, model.path / MODEL)
    about = {"format": 1, "target": target, "classes": fitted.classes_.tolist(), "features": given.blocks}
    (model.path / DESCRIPTION).write_text(json.dumps(about, indent=1))
    for name, value in measured(known, said, truth[train]).items():
        step.metric(name, value)
    step.metric("tested", int(test.sum()))
    step.result.update(classes=len(fitted.classes_), trained=int(train.sum()))


def usable(labels: Sequence[str], fewest: int) -> Any:
    """bool [n]: whether the label says something and is that of `fewest` items or more."""
    counts = Counter(labels)
    return np.array([bool(label) and counts[label] >= fewest for label in labels], bool)


def measured(known: Any, said: Any, trained: Any) -> dict[str, float]:
    most_frequent = Counter(trained.tolist()).most_common(1)[0][0]
    return {
        "accuracy": float(accuracy_score(known, said)),
        "macro_f1": float(f1_score(known, said, average="macro", zero_division=0)),
        "majority": float((known == most_frequent).mean()),
    }
