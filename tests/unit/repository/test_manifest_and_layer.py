"""The values of the repository: manifests, claims, layers, names; read as they were written, against naive versions."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.content import FileDigest
from lykeion.core.models import layer
from lykeion.core.models.manifest import Claim, Manifest, VersionFile, content_digest
from lykeion.core.models.names import Selector, check_model, did_you_mean, parse_selector
from lykeion.errors import Corrupt, Invalid

NOW = datetime(2026, 11, 20, 12, 30, 0, 5, tzinfo=UTC)
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
NAME = st.text(st.characters(min_codepoint=33, exclude_characters="/\\", exclude_categories=["C"]), min_size=1, max_size=300)
PATH = NAME.filter(lambda name: name not in (".", ".."))
FILE = st.builds(VersionFile, PATH, st.integers(0, 1 << 40), HEX, HEX, st.booleans())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
NUMBERS = st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False))
TIME = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    files = draw(st.lists(FILE, unique_by=lambda file: file.path, max_size=5))
    folders = draw(st.sampled_from([(), ("assets",), ("a/b", "c")]))
    return Manifest(
        model=draw(st.from_regex(r"[a-z]{1,9}", fullmatch=True)),
        version=draw(st.integers(1)),
        digest=content_digest(files, folders),
        created=draw(TIME),
        files=tuple(files),
        folders=folders,
        attached=tuple(draw(st.lists(st.builds(FileDigest, PATH, st.integers(0), HEX, st.just(False)), max_size=2))),
        window=draw(st.none() | st.tuples(st.text(), st.text())),
        metrics=draw(NUMBERS),
        metadata=draw(st.dictionaries(st.text(), JSON)),
        lineage=draw(st.dictionaries(st.text(), JSON)),
    )


@given(manifests())
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert Manifest.from_bytes(manifest.to_bytes(), "here") == manifest


@given(manifests(), st.data())
def test_a_manifest_that_was_changed_is_noticed(manifest: Manifest, data: st.DataObject) -> None:
    raw = json.loads(manifest.to_bytes())
    field = data.draw(st.sampled_from(sorted(raw.keys())))
    raw[field] = data.draw(JSON.filter(lambda value: value != raw[field] or isinstance(value, bool)))
    with pytest.raises(Corrupt, match=r"^here: "):
        Manifest.from_bytes(json.dumps(raw).encode(), "here")


@given(st.binary())
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Manifest.from_bytes(data, "here")


@given(st.integers(1), HEX, st.none() | st.tuples(st.text(), st.text()), TIME, st.text())
def test_a_claim_is_read_as_it_was_written(version: int, digest: str, window: tuple[str, str] | None, at: datetime, removed: str) -> None:
    claim = Claim(version, digest, window, at, removed)
    assert Claim.from_bytes(version, claim.to_bytes()) == claim
    assert claim.is_for(digest, window) == (not removed)
    assert not claim.is_for(digest, ("other", "window"))


@given(PATH, st.binary(max_size=2000))
def test_a_layer_is_a_tar_with_one_plain_entry(path: str, data: bytes) -> None:
    tar = layer.header(path, len(data)) + data + layer.trailer(len(data))
    assert len(tar) == layer.length(path, len(data))
    assert len(tar) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        (entry,) = archive.getmembers()
        assert (entry.name, entry.size, entry.mode, entry.mtime, entry.uid, entry.gid) == (f"model/{path}", len(data), 0o644, 0, 0, 0)
        assert (entry.uname, entry.gname, entry.isfile()) == ("", "", True)
        extracted = archive.extractfile(entry)
        assert extracted is not None
        assert extracted.read() == data


@pytest.mark.parametrize(
    ("path", "digest"),
    [
        ("index.json", "33a77a46"),
        ("ü" * 80, "81628265"),
    ],
)
def test_layers_never_change_their_form(path: str, digest: str) -> None:
    """Their digests are kept in manifests for years."""
    tar = layer.header(path, 5) + b"hello" + layer.trailer(5)
    assert sha256(tar).hexdigest()[:8] == digest


def test_a_file_of_more_than_8_gib_has_a_layer() -> None:
    entry = tarfile.TarInfo.frombuf(layer.header("big", 9 << 30)[-512:], "utf-8", "strict")
    assert entry.name == "model/big"
    assert b"size=9663676416" in layer.header("big", 9 << 30)


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda name: name != "journal"), st.integers(1))
def test_selectors_are_read_as_they_are_written(model: str, version: int) -> None:
    digest = "sha256:" + sha256(model.encode()).hexdigest()
    assert parse_selector(f"{model}@{version}") == Selector(model, version=version)
    assert parse_selector(f"{model}@{digest}") == Selector(model, digest=digest)
    assert parse_selector(f"{model}@{model}") == Selector(model, alias=model)


@given(st.text())
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    try:
        found = parse_selector(text)
    except Invalid:
        return
    assert sum(map(bool, (found.alias, found.version, found.digest))) == 1
    assert check_model(found.model) == found.model


def test_what_is_near_is_offered() -> None:
    assert did_you_mean("phots", ["photos", "text"]) == "; did you mean photos?"
    assert did_you_mean("zzz", ["photos", "text"]) == "; there are: photos, text"
    assert did_you_mean("zzz", []) == ""
    assert did_you_mean("zzz", [f"m{n:02}" for n in range(20)]).endswith("m09 …")


def test_the_size_of_a_version_is_that_of_its_files() -> None:
    files = (VersionFile("a", 3, "0", "0"), VersionFile("b", 4, "0", "0"))
    assert Manifest("m", 1, "", NOW + timedelta(0), files).size == 7
