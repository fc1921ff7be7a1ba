"""Which pictures and extractors tables speak of; where one cannot be read, nothing is concluded."""

import json
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.local.mentions import extractors_of, mentions

DIGESTS = st.lists(st.binary(min_size=1, max_size=4).map(lambda text: sha256(text).digest()), max_size=6)


def write(path: Path, column: str, digests: list[bytes | None], kind: pa.DataType | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({column: pa.array(digests, kind or pa.binary(32)), "number": pa.array(range(len(digests)), pa.int16())})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


@given(st.dictionaries(st.sampled_from(["a", "b", "c/d"]), st.tuples(st.sampled_from(["digest", "picture"]), DIGESTS)))
def test_every_digest_in_every_table_is_found(tmp_path_factory, tables: dict[str, tuple[str, list[bytes]]]) -> None:
    folder = tmp_path_factory.mktemp("output")
    for name, (column, digests) in tables.items():
        write(folder / f"{name}.arrow", column, digests)
    found = mentions([folder])
    assert found is not None
    assert found[0] == {digest.hex() for _, digests in tables.values() for digest in digests}


def test_other_columns_and_nulls_speak_of_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.arrow", "other", [b"x" * 32])
    write(tmp_path / "b.arrow", "digest", [None, b"y" * 32])
    write(tmp_path / "c.arrow", "digest", [b"short"], pa.binary())
    assert mentions([tmp_path]) == ({(b"y" * 32).hex()}, frozenset())


def test_one_table_that_cannot_be_read_makes_all_unknown(tmp_path: Path) -> None:
    write(tmp_path / "good.arrow", "digest", [b"x" * 32])
    (tmp_path / "bad.arrow").write_bytes(b"ARROW1 and then nothing")
    assert mentions([tmp_path]) is None


def test_folders_that_are_not_there_speak_of_nothing(tmp_path: Path) -> None:
    assert mentions([tmp_path / "gone"]) == (frozenset(), frozenset())


def test_extractors_are_named_by_their_own_description_and_by_a_space(tmp_path: Path) -> None:
    (tmp_path / "part-00000").mkdir()
    (tmp_path / "part-00000" / "extractor.json").write_text(json.dumps({"digest": "sha256:aa", "name": "n"}))
    (tmp_path / "space.json").write_text(json.dumps({"format": 1, "extractor": {"digest": "bb", "name": "n"}}))
    assert mentions([tmp_path]) == (frozenset(), frozenset({"aa", "bb"}))


def test_a_description_that_is_none_names_nothing(tmp_path: Path) -> None:
    for text in ("", "[]", "3", '{"extractor": "x"}'):
        (tmp_path / "extractor.json").write_text(text)
        assert extractors_of(tmp_path / "extractor.json") == set()
