"""What every volume keeps to: the fake and the folders of one machine alike."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.seal import seal
from lykeion.adapters.volume.verify import read_manifest
from lykeion.core.content import FileDigest, digest_of_files
from lykeion.core.pipelines.contract import RESULT_FILE, StepFile
from lykeion.core.values import StepResult
from lykeion.ports import Outputs
from lykeion.testing.outputs import FakeOutputs

KEY, OTHER = "1" * 64, "2" * 64
Files = Mapping[str, Mapping[str, bytes]]


class FakeVolume:
    """The fake, and how a step is published to it."""

    def __init__(self, folder: Path) -> None:
        self.fake = FakeOutputs(folder)
        self.outputs: Outputs = self.fake

    def publish(self, key: str, outputs: Files, **said: Any) -> StepResult:
        return self.fake.publish(key, outputs, **said)

    def damage(self, key: str) -> None:
        self.fake.damage(key)


class DirectoryVolume:
    """The folders of a home, and how a step is published to them: staged, sealed, renamed."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.real = DirectoryOutputs(folder)
        self.outputs: Outputs = self.real

    def publish(self, key: str, outputs: Files, **said: Any) -> StepResult:
        staging = self.home / "staging" / str(time.time_ns())
        for name, files in outputs.items():
            (staging / name).mkdir(parents=True)
            for path, data in files.items():
                (staging / name / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / name / path).write_bytes(data)
        material = said.pop("material", {})
        (staging / RESULT_FILE).write_text(json.dumps(said))
        seal(str(staging), StepFile("s", "m:f", key, outputs=tuple(outputs), material=material), time.time())
        manifest = read_manifest(str(staging))
        assert manifest is not None
        return self.real.publish(str(staging), manifest)

    def damage(self, key: str) -> None:
        file = next(path for path in (self.home / "outputs" / key).rglob("*.txt"))
        file.chmod(0o644)
        file.write_bytes(b"damaged")


@pytest.fixture(params=[FakeVolume, DirectoryVolume])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> FakeVolume | DirectoryVolume:
    return request.param(tmp_path)


def test_what_nobody_published_is_not_there(volume):
    assert volume.outputs.find(KEY) is None
    assert list(volume.outputs.keys()) == []


def test_what_is_published_is_found_with_all_that_was_said(volume):
    before = datetime.now(UTC)
    published = volume.publish(
        KEY, {"a": {"x.txt": b"1"}, "b": {}}, metrics={"m": 2.0}, result={"r": "s"}, uncached="why", material={"identity": "i"}
    )
    found = volume.outputs.find(KEY)
    assert found == published
    assert (found.key, found.metrics, found.result, found.uncached) == (KEY, {"m": 2.0}, {"r": "s"}, "why")
    assert (found.material, found.size, set(found.outputs)) == ({"identity": "i"}, 1, {"a", "b"})
    assert before <= found.created <= datetime.now(UTC)


def test_files_lie_below_the_path_of_their_output(volume):
    volume.publish(KEY, {"out": {"deep/er.txt": b"bytes"}})
    assert (volume.outputs.path(KEY, "out") / "deep" / "er.txt").read_bytes() == b"bytes"


def test_keys_are_told_in_order(volume):
    for key in (OTHER, KEY):
        volume.publish(key, {"out": {"x.txt": b"1"}})
    assert list(volume.outputs.keys()) == [KEY, OTHER]


def test_a_damaged_output_is_not_found(volume):
    volume.publish(KEY, {"out": {"x.txt": b"1"}})
    volume.damage(KEY)
    assert volume.outputs.find(KEY) is None


def test_a_deleted_key_is_gone_and_the_others_stay(volume):
    volume.publish(KEY, {"out": {"x.txt": b"12345"}})
    volume.publish(OTHER, {"out": {"x.txt": b"1"}})
    assert volume.outputs.delete(KEY) >= 5
    assert volume.outputs.find(KEY) is None
    assert volume.outputs.find(OTHER) is not None


def test_deleting_what_is_not_there_frees_nothing(volume):
    assert volume.outputs.delete(KEY) == 0


@pytest.mark.parametrize("make", [FakeVolume, DirectoryVolume])
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(st.sampled_from(["a.txt", "b/c.txt", "b/d.txt", "ü.bin"]), st.binary(max_size=9)))
def test_the_digest_of_an_output_is_that_of_its_files_by_path(make, tmp_path_factory, files):
    volume = make(tmp_path_factory.mktemp("volume"))
    result = volume.publish(KEY, {"out": files})
    lying = [path for path in volume.outputs.path(KEY, "out").rglob("*") if path.is_file()]
    root = volume.outputs.path(KEY, "out")
    digests = [FileDigest(str(path.relative_to(root)), path.stat().st_size, sha256(path.read_bytes()).hexdigest()) for path in lying]
    assert result.outputs["out"] == digest_of_files(digests)
