"""Publishing: one version per content and window, visible only when whole."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from lykeion.core.content import FileDigest, digest_of_files
from lykeion.core.models import layer
from lykeion.errors import Corrupt, Invalid, NotFound
from lykeion.repository import Repository
from lykeion.repository.local_store import LocalStore

FILES = {"index.json": b'{"format": 1}', "part-00000/rows.arrow": b"rows" * 1000}


def digest_of(files: dict[str, bytes]) -> str:
    return digest_of_files(FileDigest(path, len(data), sha256(data).hexdigest()) for path, data in files.items())


class DiesAfter:
    """A store whose writer is struck down at its n-th write."""

    def __init__(self, store, writes: int) -> None:
        self.store, self.left = store, writes

    def __getattr__(self, name: str):
        method = getattr(self.store, name)
        if name not in ("put", "create", "upload"):
            return method

        def dying(*args, **how):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return method(*args, **how)

        return dying


def test_the_first_version_is_1_and_says_what_was_published(repository: Repository, folder) -> None:
    manifest = repository.publish(
        "photos", folder(FILES), metrics={"recall": 0.99}, metadata={"generation": "g"}, lineage={"training": "t-1"}
    )
    assert (manifest.version, manifest.digest) == (1, digest_of(FILES))
    assert repository.manifest("photos", 1) == manifest
    assert repository.models() == ["photos"]
    assert repository.versions("photos") == [1]
    assert repository.lineage("photos", 1) == {"training": "t-1"}
    assert repository.manifest("photos", 1).metrics == {"recall": 0.99}


def test_a_version_has_the_digest_of_the_output_that_it_was_made_from(repository: Repository, folder) -> None:
    assert repository.publish("photos", folder(FILES), digest=digest_of(FILES)).digest == digest_of(FILES)


def test_the_same_content_is_published_once(repository: Repository, folder) -> None:
    first = repository.publish("photos", folder(FILES))
    assert repository.publish("photos", folder(FILES, "elsewhere"), metrics={"other": 1.0}) == first
    assert repository.publish("photos", folder(FILES, "elsewhere"), digest=first.digest) == first
    assert len(repository.journal()) == 1


def test_the_same_content_for_another_window_is_another_version(repository: Repository, folder) -> None:
    for hour in (1, 2, 1):
        repository.publish("photos", folder(FILES), window=(f"2026-11-01T0{hour}:00:00Z", f"2026-11-01T0{hour + 1}:00:00Z"))
    assert repository.versions("photos") == [1, 2]
    assert repository.manifest("photos", 2).window == ("2026-11-01T02:00:00Z", "2026-11-01T03:00:00Z")


def test_other_content_is_another_version(repository: Repository, folder) -> None:
    repository.publish("photos", folder(FILES))
    assert repository.publish("photos", folder({"a": b"other"}, "other")).version == 2


def test_content_that_is_not_what_it_was_said_to_be_is_refused(repository: Repository, folder) -> None:
    with pytest.raises(Corrupt, match="is not what was to be published"):
        repository.publish("photos", folder(FILES), digest="sha256:" + "0" * 64)
    assert repository.models() == []


def test_layers_are_what_a_tar_of_the_file_would_be(repository: Repository, folder) -> None:
    for file in repository.publish("photos", folder(FILES)).files:
        tar = layer.header(file.path, file.size) + FILES[file.path] + layer.trailer(file.size)
        assert file.layer == sha256(tar).hexdigest()


@pytest.mark.parametrize("writes", range(8))
def test_an_upload_that_is_interrupted_anywhere_is_not_seen_and_is_taken_up_again(store, folder, writes: int) -> None:
    """Writes: hint, claim, two files, MLmodel, requirements, manifest, journal."""
    with pytest.raises(KeyboardInterrupt):
        Repository(DiesAfter(store, writes)).publish("photos", folder(FILES))
    repository = Repository(store)
    assert repository.versions("photos") == ([] if writes < 7 else [1])
    assert repository.publish("photos", folder(FILES)).version == 1
    assert repository.verify("photos", 1) == []
    assert repository.versions("photos") == [1]


def test_what_an_interrupted_upload_left_damaged_is_sent_again(store, folder) -> None:
    with pytest.raises(KeyboardInterrupt):
        Repository(DiesAfter(store, 4)).publish("photos", folder(FILES))
    store.put("photos/1/index.json", b"x" * len(FILES["index.json"]))
    repository = Repository(store)
    repository.publish("photos", folder(FILES))
    assert repository.verify("photos", 1) == []


@pytest.mark.parametrize("mode", [0o644, 0o444])
def test_a_file_that_changes_between_its_digest_and_its_upload_is_not_published(tmp_path: Path, folder, mode: int) -> None:
    """Whether its bytes are sent or, since nobody may write to it, it is taken as it is."""
    given = folder({"weights": b"first"})
    weights = given / "weights"
    weights.chmod(mode)

    class ChangesMeanwhile(LocalStore):
        def adopt(self, key: str, file: Path) -> bool:
            file.chmod(0o644)
            file.write_bytes(b"other")
            file.chmod(mode)
            return super().adopt(key, file)

    repository = Repository(ChangesMeanwhile(tmp_path / "repository"))
    with pytest.raises(Corrupt, match="changed while it was uploaded"):
        repository.publish("m", given)
    assert repository.versions("m") == []
    assert not (tmp_path / "repository/m/1/weights").exists()


def test_other_content_does_not_take_the_number_of_an_interrupted_upload(store, folder) -> None:
    with pytest.raises(KeyboardInterrupt):
        Repository(DiesAfter(store, 4)).publish("photos", folder(FILES))
    repository = Repository(store)
    assert repository.publish("photos", folder({"a": b"other"}, "other")).version == 2
    assert repository.versions("photos") == [2]


def test_mlflow_can_read_what_lies_beside(repository: Repository, store, folder) -> None:
    signature = {"inputs": [{"name": "x", "type": "double"}]}
    repository.publish("text", folder({"model.onnx": b"onnx"}), signature=signature, requirements=["numpy==2.1"])
    told = yaml.safe_load(store.get("text/1/MLmodel"))
    assert told["flavors"]["python_function"]["loader_module"] == "mlflow.onnx"
    assert json.loads(told["signature"]["inputs"]) == signature["inputs"]
    assert len(told["model_uuid"]) == 32
    assert store.get("text/1/requirements.txt") == b"numpy==2.1\n"


def test_a_model_that_brings_its_own_mlmodel_keeps_it(repository: Repository, store, folder) -> None:
    files = {"MLmodel": b"flavors: {}\n", "model.pkl": b"m"}
    assert repository.publish("text", folder(files)).digest == digest_of(files)
    assert store.get("text/1/MLmodel") == files["MLmodel"]
    assert repository.verify("text", 1) == []


def test_all_that_cannot_be_published_is_said_at_once(repository: Repository, folder, tmp_path: Path) -> None:
    bad = folder({"manifest.json": b"{}", "new\nline": b"", "fine": b"1"})
    (bad / "nowhere").symlink_to(tmp_path / "nothing")
    (bad / "linked").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(Invalid) as caught:
        repository.publish("photos", bad)
    assert len(caught.value.problems) == 4
    assert repository.models() == []


@pytest.mark.parametrize("name", ["", "Photos", "a/b", "..", "journal", "a" * 64, "-a", "a-"])
def test_names_that_no_model_may_have_are_refused(repository: Repository, folder, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        repository.publish(name, folder(FILES))


def test_nothing_and_nowhere_cannot_be_published(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="nothing to publish"):
        repository.publish("photos", tmp_path / "nowhere")


def test_metrics_that_are_not_json_are_refused_before_anything_is_written(repository: Repository, store, folder) -> None:
    with pytest.raises(Invalid, match="manifest"):
        repository.publish("photos", folder(FILES), metrics={"recall": float("nan")})
    assert list(store.list("")) == []


def test_a_version_is_found_by_number_by_content_and_by_alias(repository: Repository, folder) -> None:
    manifest = repository.publish("photos", folder(FILES), metadata={"rows": 3})
    repository.move_alias("photos", "stable", 1)
    for selector in ("photos@1", f"photos@{manifest.digest}", "photos@stable"):
        found = repository.resolve(selector)
        assert (found.model, found.version, found.digest, found.metadata) == ("photos", 1, manifest.digest, {"rows": 3})


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("photo@1", "did you mean photos"),
        ("photos@7", "no version 7; there are: 1"),
        ("photos@stabel", "no alias stabel; did you mean stable"),
        ("photos@sha256:" + "0" * 64, "no version sha256"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is_near(repository: Repository, folder, selector: str, says: str) -> None:
    repository.publish("photos", folder(FILES))
    repository.move_alias("photos", "stable", 1)
    with pytest.raises(NotFound, match=says):
        repository.resolve(selector)


@pytest.mark.parametrize("selector", ["photos", "photos@", "@1", "photos@0", "photos@sha256:12", "photos@Stable", "photos@-1"])
def test_a_selector_that_names_no_version_is_refused(repository: Repository, selector: str) -> None:
    with pytest.raises(Invalid):
        repository.resolve(selector)
