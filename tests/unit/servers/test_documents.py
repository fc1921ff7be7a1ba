"""Following a document that is replaced."""

from hashlib import sha256

from lykeion.servers.documents import Follower
from lykeion.testing.families import write_document


def test_a_document_is_told_once_and_again_when_it_changes(tmp_path):
    follower = Follower(tmp_path / "cover.json")
    assert follower.changed() is None
    digest = write_document(tmp_path, "cover", {"a": 1})
    read = follower.changed()
    assert (read.content, read.digest) == ({"a": 1}, digest)
    assert follower.changed() is None
    write_document(tmp_path, "cover", {"a": 2})
    assert follower.changed().content == {"a": 2}


def test_the_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "cover.json").write_bytes(b'{ "a":1}')
    assert Follower(tmp_path / "cover.json").changed().digest == "sha256:" + sha256(b'{ "a":1}').hexdigest()


def test_what_is_no_json_is_passed_over_with_the_reason(tmp_path):
    follower = Follower(tmp_path / "cover.json")
    (tmp_path / "cover.json").write_bytes(b"{")
    assert follower.changed() is None
    assert "cannot be read" in follower.problem
    write_document(tmp_path, "cover", {})
    assert follower.changed().content == {}
    assert follower.problem == ""


def test_a_document_that_is_taken_away_changes_nothing(tmp_path):
    follower = Follower(tmp_path / "cover.json")
    write_document(tmp_path, "cover", {})
    assert follower.changed() is not None
    (tmp_path / "cover.json").unlink()
    assert follower.changed() is None
