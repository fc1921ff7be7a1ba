"""Catalogues with columns of every type: indexed, served, and asked over HTTP as each value is written."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.timeout(480)

TYPED = {
    "seller_id": pa.array([9007199254740993, 9007199254740992, 5], pa.int64()),
    "rating": pa.array([4.3, 4.5, None], pa.float32()),
    "colours": pa.array([["red", "blue"], ["red"], []], pa.list_(pa.string())),
    "g:gender": ["w", "m", "w"],
    "listed": pa.array([date(2026, 1, 14), date(2026, 1, 15), None]),
    "updated_at": pa.array([datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), None]),
    "net": pa.array([Decimal("12.50"), Decimal("9.99"), None], pa.decimal128(10, 2)),
}
FINDS = {
    "seller_id:9007199254740993": ["1"],
    "seller_id:<=9007199254740992": ["2", "3"],
    "rating:4.3": ["1"],
    "colours:red": ["1", "2"],
    "colours:blue": ["1"],
    "g:gender:w": ["1", "3"],
    r"g\:gender:m": ["2"],
    "listed:>=2026-01-15": ["2"],
    "updated_at:<=2026-01-31": ["1"],
    "updated_at:2026-02-01": ["2"],
    "net:>=12.5": ["1"],
}
PAGE = Path(__file__).parents[2] / "docs" / "architecture" / "55-pictures-and-features.md"
HEAD = """apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: pin}
spec:
  parameters: {listings: {type: uri}}
"""
LATE = 8200  # items, of which the last two have what no other has


def test_columns_of_every_type_are_asked_for_over_http(own, start_up):
    folder, ids = own.listings.parent, ["1", "2", "3"]
    names = ["ring-red-0.png", "cross-red-0.png", "ellipse-red-0.png"]
    pq.write_table(pa.table({"id": ids, "pictures": names, **TYPED}), folder / "t.parquet")
    nothing = [None] * (LATE - 2)
    late = {"new": pa.array([*nothing, True, False], pa.bool_()), "score": pa.array([*nothing, 1e-7, 2.5])}
    numbers = {"id": [str(number) for number in range(LATE)], "pictures": names[:1] * LATE}
    pq.write_table(pa.table(numbers | late), folder / "late.parquet")
    for family in ("t", "late"):
        words = ("-p", f"listings={folder / family}.parquet", "-p", f"family={family}")
        own.cli("run", "examples/photo-search/pipeline.yaml", *words)
    up = start_up(own.home).ready("t", "late")

    def found(family, *filters):
        answer = up.search(own.picture("ring-red-0"), "?" + urlencode([("filter", one) for one in filters]), family=family)
        assert answer.status == 200, answer.json
        return {item["id"]: item for item in answer.json["items"]}

    try:
        for text, items in FINDS.items():
            assert sorted(found("t", text)) == items, text
        first = found("t", "net:12.50")["1"]
        assert first["seller_id"] == 9007199254740993
        assert (first["rating"], first["colours"], first["net"]) == (4.3, ["red", "blue"], "12.50")
        assert (first["listed"], first["updated_at"]) == ("2026-01-14", "2026-01-31T23:59:00Z")
        fields = {field["name"]: field for field in up.ask("/v1/search/t").json["fields"]}
        assert {one["value"]: one["items"] for one in fields["colours"]["values"]} == {"red": 2, "blue": 1}
        assert (fields["seller_id"]["least"], fields["seller_id"]["most"]) == (5, 9007199254740993)
        assert list(found("late", "new:true")) == list(found("late", "attribute_score:<1")) == [str(LATE - 2)]
        assert found("late", "new:false")[str(LATE - 1)]["attribute_score"] == 2.5
        assert list(found("late", "new:false")) == list(found("late", "attribute_score:2.5")) == [str(LATE - 1)]
    finally:
        up.end()


def test_the_types_of_the_first_catalogue_are_pinned_by_the_documented_pipeline(cli, tmp_path):
    steps = PAGE.read_text().split("```yaml\n  steps:\n")[1].split("```")[0]
    (tmp_path / "pin.yaml").write_text(HEAD + "  steps:\n" + steps)
    told = []
    for name, size in (("first", "41"), ("later", "4.5")):
        (tmp_path / f"{name}.csv").write_text(f"id,pictures,size\n1,a.png,{size}\n")
        told.append(cli("run", tmp_path / "pin.yaml", "-p", f"listings={tmp_path / name}.csv", "-o", "json").json)
    first, later = told
    assert [one["model"] for one in first["published"]] == ["shop-schema"]
    assert first["setAside"] == []
    assert [(one["step"], one["reason"]) for one in later["setAside"]] == [
        ("items", "its size is not of the type int64 that the pinned schema says")
    ]
