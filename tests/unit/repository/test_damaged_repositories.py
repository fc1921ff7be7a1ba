"""A repository in which something is damaged, foreign or made to do harm: said with the place, and no more is lost than that."""

import json
import os
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.images.model import model_parts
from lykeion.core.content import FileDigest, digest_of_files, digest_of_value
from lykeion.core.images.records import ImageRecord, LayerRecord
from lykeion.core.models.aliases import AliasMove
from lykeion.core.models.manifest import Claim, Manifest, VersionFile
from lykeion.core.models.retention import Retention
from lykeion.errors import Corrupt, Invalid, LykeionError
from lykeion.repository import Repository
from lykeion.repository.upload import payload
from lykeion.testing.builders import NOON
from lykeion.testing.storage import MemoryStore

DAMAGES = [b"", b"{", b"[]", b"null", b"7", b"{}", bytes(100), b"\xff\xfe", b"[" * 100_000, b'{"n": 1, "model": 7}']
PUSHED = ImageRecord("pushed", NOON, "r.example/photos@sha256:1", "sha256:1", (LayerRecord("base", "Debian", "sha256:2", 7, "sent"),))


@pytest.fixture
def three(repository: Repository, folder) -> Repository:
    for n in (1, 2, 3):
        repository.publish("photos", folder({"a": b"%d" % n}, f"v{n}"))
        repository.move_alias("photos", "stable", n)
        repository.record_image("photos", n, PUSHED)
    return repository


def sealed(raw: dict[str, object]) -> bytes:
    """A manifest as somebody writes it who knows how."""
    told = {name: value for name, value in raw.items() if name != "seal"}
    return json.dumps({**told, "seal": digest_of_value(told)}).encode()


# damage -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", DAMAGES)
def test_a_damaged_move_of_an_alias_is_never_guessed_at(three: Repository, data: bytes, folder) -> None:
    three.store.put("photos/aliases/stable/3.json", data)
    for ask in (
        lambda: three.alias("photos", "stable"),
        lambda: three.resolve("photos@stable"),
        lambda: three.prune("photos", Retention(recent=0)),
        lambda: three.remove("photos", 1),
        lambda: three.rollback("photos", "stable"),
        lambda: three.move_alias("photos", "stable", 1),
    ):
        with pytest.raises(Corrupt, match=r"photos/aliases/stable/3\.json: .*or delete it, and move photos@stable anew"):
            ask()
    assert three.versions("photos") == [1, 2, 3]
    three.store.delete(["photos/aliases/stable/3.json"])
    assert three.alias("photos", "stable") == 2
    three.move_alias("photos", "stable", 3)
    assert three.resolve("photos@stable").version == 3


@pytest.mark.parametrize("data", DAMAGES)
def test_a_damaged_entry_of_the_journal_is_passed_over(three: Repository, data: bytes) -> None:
    before = three.journal()
    three.store.put("journal/4.json", data)
    assert three.journal() == [entry for entry in before if entry["n"] != 4]
    three.drop_alias("photos", "stable")
    assert three.journal(len(before))[0]["kind"] == "alias"


@pytest.mark.parametrize("data", DAMAGES)
def test_a_damaged_claim_keeps_its_version_and_no_other_from_being_published_or_pruned(three: Repository, data: bytes, folder) -> None:
    three.store.put("photos/claims/1.json", data)
    three.drop_alias("photos", "stable")
    assert three.prune("photos", Retention(recent=1)) == [2]
    assert three.versions("photos") == [1, 3]
    assert three.publish("photos", folder({"a": b"4"}, "v4")).version == 4
    assert three.manifest("photos", 1).version == 1
    with pytest.raises(Corrupt, match=r"photos/claims/1\.json: it does not say who has version 1"):
        three.publish("photos", folder({"a": b"1"}, "v1 again"))


@pytest.mark.parametrize("data", DAMAGES)
def test_a_damaged_record_of_an_image_is_as_good_as_none(three: Repository, data: bytes) -> None:
    log = three.images("photos")
    three.store.put("photos/images/3/1.json", data)
    assert (log.last(3), log.history(3), log.versions()) == (None, [], [1, 2, 3])
    three.record_image("photos", 3, PUSHED)
    assert (log.last(3), log.taken(3)) == (PUSHED, [1, 2])
    three.store.put("photos/images/3/2.json", data)
    three.store.put("photos/images/3/1.json", PUSHED.to_bytes())
    assert log.last(3) == PUSHED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
OF_A_RECORD = st.fixed_dictionaries(
    {"state": JSON, "at": JSON | st.just(NOON.isoformat())}, optional={"layers": JSON, "missing_libraries": JSON, "tries": JSON}
)
OF_A_CLAIM = st.fixed_dictionaries({"digest": JSON, "window": JSON, "at": JSON | st.just(NOON.isoformat()), "removed": JSON})
OF_A_MOVE = st.fixed_dictionaries({name: JSON | st.integers(0, 9) for name in ("n", "version", "previous", "reason", "at")})


@given(st.binary(max_size=99) | (JSON | OF_A_RECORD | OF_A_CLAIM | OF_A_MOVE).map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_entry_or_corrupt(data: bytes) -> None:
    for read in (
        AliasMove.from_bytes,
        ImageRecord.from_bytes,
        lambda given: Claim.from_bytes(1, given),
        lambda given: Manifest.from_bytes(given, "here"),
    ):
        try:
            read(data)
        except Corrupt as refused:
            assert str(refused)  # noqa: PT017 - whichever it is, it says why


def test_what_a_newer_lykeion_wrote_beside_is_passed_over(three: Repository) -> None:
    move = json.loads(three.store.get("photos/aliases/stable/3.json"))
    record = json.loads(three.store.get("photos/images/3/1.json"))
    record["layers"][0]["compressed"] = "zstd"
    three.store.put("photos/aliases/stable/3.json", json.dumps({**move, "by": "somebody"}).encode())
    three.store.put("photos/images/3/1.json", json.dumps({**record, "signed": True}).encode())
    assert three.alias("photos", "stable") == 3
    assert three.images("photos").last(3) == PUSHED


# what others put there ------------------------------------------------------------------------------------------------------------


def test_what_others_keep_beside_the_models_is_theirs(three: Repository) -> None:
    """A disk has lost+found, a folder .DS_Store, a bucket whatever somebody put there."""
    for key in (
        "lost+found/7/manifest.json",
        ".DS_Store",
        "README.md",
        "Photos/1/manifest.json",
        "photos/notes.txt",
        "photos/aliases/.DS_Store",
    ):
        three.store.put(key, b"theirs")
    assert three.models() == ["photos"]
    assert three.aliases("photos") == {"stable": 3}
    assert three.versions("photos") == [1, 2, 3]
    assert three.prune("photos", Retention(recent=1)) == [1, 2]
    assert three.store.get("README.md") == b"theirs"


def test_a_version_that_was_copied_by_hand_is_not_taken_for_another(three: Repository) -> None:
    for key, _ in list(three.store.list("photos/2")):
        three.store.put(key.replace("photos/2", "photos/9"), three.store.get(key))
        three.store.put(key.replace("photos/2", "cats/2"), three.store.get(key))
    for model, version in (("photos", 9), ("cats", 2)):
        with pytest.raises(Corrupt, match=rf"{model}/{version}/manifest\.json: it is the manifest of photos 2; somebody copied it"):
            three.manifest(model, version)
    assert three.manifest("photos", 2).version == 2


# what was made to do harm ---------------------------------------------------------------------------------------------------------

OUT = ["../../outside", "/outside", "a/../../../outside", "..", "a//b", "./a", "a\0b", ""]


@pytest.mark.parametrize("path", OUT)
@pytest.mark.parametrize("kind", ["files", "attached"])
def test_a_manifest_whose_files_lead_out_of_the_version_is_refused_before_anything_is_read(
    tmp_path, three: Repository, path: str, kind: str
) -> None:
    (tmp_path / "outside").write_text("a secret of this machine")
    raw = json.loads(three.store.get("photos/3/manifest.json"))
    raw[kind][0]["path"] = path
    raw["digest"] = digest_of_files(FileDigest(file["path"], file["size"], file["sha256"]) for file in raw["files"])
    data = sealed(raw)
    with pytest.raises(Corrupt, match="leads out of the version"):
        Manifest.from_bytes(data, "here")
    three.store.put("photos/3/manifest.json", data)
    with pytest.raises(Corrupt):
        three.path("photos", 3, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("outside"))
    assert three.verify("photos", 3)[0].file == "photos/3/manifest.json"


@pytest.mark.parametrize("model", ["../../outside", "/outside", "cats"])
def test_a_manifest_of_another_model_leads_nowhere(tmp_path, three: Repository, model: str) -> None:
    three.store.put("photos/3/manifest.json", sealed({**json.loads(three.store.get("photos/3/manifest.json")), "model": model}))
    with pytest.raises(Corrupt, match="somebody copied it"):
        three.path("photos", 3, tmp_path / "cache")
    assert not (tmp_path / "outside").exists()


def test_a_download_that_is_longer_than_was_published_is_broken_off(tmp_path, folder) -> None:
    taken: list[int] = []

    class Endless(MemoryStore):
        def read(self, key: str, start: int = 0):
            for number in range(1000):
                taken.append(number)
                yield bytes(1 << 20)

    store = Endless()
    manifest = Repository(store).publish("photos", folder({"a": b"x" * 10}))
    del taken[:]
    with pytest.raises(Corrupt, match="not those that were published"):
        Repository(store).path("photos", manifest.version, tmp_path / "cache")
    assert len(taken) == 1
    assert sum(file.stat().st_size for file in (tmp_path / "cache").rglob("*") if file.is_file()) == 0


def test_no_file_of_this_machine_gets_into_an_image_by_a_manifest(tmp_path) -> None:
    """What was checked when the manifest was read holds where its files become layers."""
    file = VersionFile("../../etc/passwd", 5, "0" * 64, "0" * 64)
    hostile = Manifest("photos", 1, digest_of_files([file.content]), NOON, (file,))
    with pytest.raises(Corrupt):
        model_parts(Manifest.from_bytes(hostile.to_bytes(), "here"), tmp_path)


# what cannot be published ---------------------------------------------------------------------------------------------------------


def in_a_child(work) -> str:
    """What `work` returns, done by nobody's user: root reads everything."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = work()
        except BaseException:  # noqa: BLE001 - told to the parent
            said = traceback.format_exc()
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_folder_that_cannot_be_looked_into_is_not_published_without_what_is_in_it() -> None:
    where = Path("/tmp") / f"lykeion-unreadable-{os.getpid()}"
    (where / "inner").mkdir(parents=True)
    (where / "model.onnx").write_text("weights")
    (where / "inner" / "more.onnx").write_text("weights")
    (where / "inner").chmod(0o700)

    def publish() -> str:
        try:
            return f"published {[one.path for one in payload(where)[0]]}"
        except Invalid as refused:
            return str(refused)

    try:
        assert in_a_child(publish) == f"{where}/inner: it cannot be read (give yourself the right to read it)"
    finally:
        (where / "inner" / "more.onnx").unlink()
        (where / "inner").rmdir()
        (where / "model.onnx").unlink()
        where.rmdir()


def test_names_that_are_not_utf_8_are_refused_and_shown(tmp_path, repository: Repository) -> None:
    (tmp_path / "payload").mkdir()
    with open(os.fsencode(tmp_path / "payload") + b"/caf\xe9.onnx", "wb"):
        pass
    with pytest.raises(Invalid, match=r"its name cannot be kept: 'caf\\udce9\.onnx'"):
        repository.publish("photos", tmp_path / "payload")
    assert repository.models() == []


def test_devices_pipes_and_links_out_are_refused_or_read_as_what_they_lead_to(tmp_path, repository: Repository) -> None:
    (tmp_path / "payload" / "inner").mkdir(parents=True)
    os.mkfifo(tmp_path / "payload" / "pipe")
    (tmp_path / "payload" / "null").symlink_to("/dev/null")
    (tmp_path / "payload" / "etc").symlink_to("/etc")
    (tmp_path / "payload" / "nowhere").symlink_to("/nowhere")
    (tmp_path / "payload" / "inner" / "up").symlink_to("..")
    with pytest.raises(LykeionError) as refused:
        repository.publish("photos", tmp_path / "payload")
    told = {Path(problem.file).name: problem.message for problem in refused.value.problems}
    assert told == {
        **dict.fromkeys(("pipe", "null", "nowhere"), "it is no regular file"),
        **dict.fromkeys(("etc", "up"), "it is a link to a folder"),
    }
