"""Images are put together from what decides them: the same sources give the same digest from any folder, and one change one layer."""

import io
import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lykeion.adapters.images.build import build, plan
from lykeion.adapters.images.code import LARGEST, code_content, platform_content
from lykeion.adapters.images.codecs import GZIP, ZSTD, unpack
from lykeion.adapters.images.layers import find, make
from lykeion.adapters.images.model import ALONE, ModelFile, model_parts
from lykeion.adapters.images.pyc import Compiler
from lykeion.adapters.images.recipes import Foundation, serving, summary, training
from lykeion.adapters.images.store import Store
from lykeion.components.catalogue import PYTHON, Catalogue
from lykeion.core.images.entries import Content, Entry
from lykeion.core.pipelines.signature import ParameterSignature, Signature
from lykeion.errors import Corrupt, Invalid
from lykeion.repository import open_repository

WORDS = Path(__file__).parents[3] / "examples" / "01-one-step"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


@pytest.fixture
def under(tmp_path: Path) -> Foundation:
    base = Content("base", "a base", "sha256:base", lambda: [Entry("etc/os-release", data=b"ID=test\n")])
    wheels = (Content("wheel", "one 1.0", "sha256:one", lambda: [Entry("opt/lykeion/site-packages/one.py", data=b"x = 1\n")]),)
    return Foundation((base,), wheels, Compiler(PYTHON, cache=tmp_path / "pyc"))


def words(folder: Path, under: Foundation, cache: Path):
    references = ["./words.py:count", "./words.py:top"]
    signatures = Catalogue(cache).describe_all(str(folder), references)
    return training("words", folder, ("pipeline.yaml",), signatures, under)


def published(tmp_path: Path, files: dict[str, bytes], name: str = "photos", programs: tuple[str, ...] = (), empty: tuple[str, ...] = ()):
    """A version with these files and empty folders, and the folder where they lie."""
    folder = tmp_path / f"content-{name}"
    folder.mkdir(exist_ok=True)
    for path, data in files.items():
        (folder / path).write_bytes(data)
        (folder / path).chmod(0o755 if path in programs else 0o644)
    for path in empty:
        (folder / path).mkdir()
    repository = open_repository((tmp_path / "repository").as_uri())
    manifest = repository.publish(name, folder, lineage={"training": "t-1", "key": "ab"})
    return manifest, repository.path(manifest.model, manifest.version, tmp_path / "downloads")


def layers_of(built) -> list[tuple[str, str]]:
    return [(layer.kind, layer.descriptor.digest) for layer in built.image.layers]


def test_the_same_pipeline_in_another_folder_user_time_and_umask_has_the_same_digest(store, under, tmp_path):
    digests = []
    for name, umask in (("here", 0o022), ("another-place/deeper", 0o077)):
        before = os.umask(umask)
        folder = tmp_path / name
        shutil.copytree(WORDS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        os.utime(folder / "words.py", (umask, umask))
        other = Store(tmp_path / f"images-{umask}")
        clean = replace(under, compiler=Compiler(PYTHON, cache=tmp_path / f"pyc-{umask}"))
        digests.append(build(words(folder, clean, tmp_path / f"cache-{umask}"), other).image.digest)
        os.umask(before)
    assert digests[0] == digests[1]


def test_nothing_changed_makes_no_layer(store, under, tmp_path):
    first = build(words(WORDS, under, tmp_path / "cache"), store)
    again = build(words(WORDS, under, tmp_path / "cache"), store, said=lambda what: pytest.fail(what))
    assert again.image == first.image
    assert all(again.hits)
    assert not any(first.hits)


def test_a_change_of_the_code_changes_the_layer_of_the_code_alone(store, under, tmp_path):
    folder = tmp_path / "pipeline"
    shutil.copytree(WORDS, folder)
    before = build(words(folder, under, tmp_path / "cache"), store)
    (folder / "words.py").write_text((folder / "words.py").read_text() + "\n# changed\n")
    after = build(words(folder, under, tmp_path / "cache"), store)
    changed = [a[0] for a, b in zip(layers_of(before), layers_of(after), strict=True) if a != b]
    assert changed == ["code"]
    assert [layer.kind for layer in after.image.layers] == ["base", "wheel", "platform", "code"]


def test_a_training_image_says_which_components_it_has_and_their_identity(store, under, tmp_path):
    built = build(words(WORDS, under, tmp_path / "cache"), store)
    config = json.loads(built.image.config)["config"]
    told = json.loads(config["Labels"]["dev.lykeion.components"])
    signatures = Catalogue(tmp_path / "cache").describe_all(str(WORDS), list(told))
    assert {reference: said["identity"] for reference, said in told.items()} == {
        reference: signature.identity for reference, signature in signatures.items()
    }
    assert str(WORDS) not in json.dumps(told)
    assert config["Entrypoint"] == ["/opt/lykeion/bin/lykeion"]
    assert config["Cmd"] == ["run", "/app/pipeline.yaml"]
    assert "LYKEION_HOME=/volume" in config["Env"]


def test_code_is_put_beside_its_compiled_form(under):
    content = code_content(WORDS, ["words.py", "poem.txt"], under.compiler)
    assert sorted(entry.path for entry in content.entries()) == [
        "app/__pycache__/words.cpython-311.pyc",
        "app/poem.txt",
        "app/words.py",
    ] or (PYTHON != "3.11")


def test_all_code_that_cannot_be_in_an_image_is_told_at_once(under, tmp_path):
    folder = tmp_path / "pipeline"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.py").symlink_to("../secret.txt")
    (folder / "A.py").write_text("")
    (folder / "a.py").write_text("")
    os.mkfifo(folder / "pipe")
    with pytest.raises(Invalid) as refusal:
        code_content(folder, ["link.py", "../secret.txt", "/etc/passwd", "A.py", "a.py", "pipe", "missing.py"], under.compiler)
    told = str(refusal.value)
    for name in ("link.py leads out", "../secret.txt leads out", "/etc/passwd leads out", "pipe is no regular", "missing.py is no regular"):
        assert name in told
    assert "A.py and a.py differ in case alone" in told


def test_an_edit_between_key_and_packing_is_never_kept_under_the_old_key(store, under, tmp_path):
    (tmp_path / "step.py").write_text("x = 1\n")
    (tmp_path / "data.csv").write_text("1,2\n")
    before = code_content(tmp_path, ["step.py"], under.compiler)
    whole = code_content(tmp_path, ["step.py", "data.csv"], under.compiler)
    (tmp_path / "step.py").write_text("x = 2\n")
    (tmp_path / "data.csv").write_text("3,4\n")
    assert next(iter(before.entries())).data == b"x = 1\n"
    with pytest.raises(Corrupt, match=r"data.csv changed while the image was built"):
        make(whole, ZSTD, store)
    assert find(whole, ZSTD, store) is None


def test_names_that_no_image_may_hold_are_told_before_anything_is_packed(under, tmp_path):
    names = [os.fsdecode(b"bad-\xff.txt"), os.fsdecode(b"worse-\xfe.txt")]
    for name in names:
        (tmp_path / name).write_text("x")
    with pytest.raises(Invalid, match=r"its name is not UTF-8") as refusal:
        code_content(tmp_path, names, under.compiler)
    assert [problem.value for problem in refusal.value.problems] == [r"app/bad-\udcff.txt", r"app/worse-\udcfe.txt"]


def test_a_label_says_of_a_component_what_it_says_and_no_more():
    signature = Signature("a:b", parameters={"n": ParameterSignature("integer", required=False, default=3)}, identity="sha256:1")
    assert summary(signature) == {"identity": "sha256:1", "parameters": {"n": {"type": "integer", "required": False, "default": 3}}}


def test_data_that_is_taken_for_code_is_refused_without_reading_it(under, tmp_path):
    with (tmp_path / "sparse.bin").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(Invalid, match="give data to steps as inputs"):
        code_content(tmp_path, ["sparse.bin"], under.compiler)


def test_the_platform_is_the_package_with_what_the_installation_says_of_it(under):
    content = platform_content(under.compiler, under.interpreter)
    paths = {entry.path for entry in content.entries()}
    assert "opt/lykeion/site-packages/lykeion/cli/main.py" in paths
    assert "opt/lykeion/site-packages/lykeion/dashboard/pages/search.html" in paths
    assert any(path.endswith(".dist-info/METADATA") for path in paths)
    modes = {entry.path: entry.mode for entry in content.entries()}
    assert modes["opt/lykeion/bin/lykeion"] == 0o755


def test_a_serving_image_holds_the_versions_files_without_a_copy(store, under, tmp_path):
    manifest, folder = published(tmp_path, {"index.json": b"{}", "rows.fp16": os.urandom(2 << 20)})
    built = build(serving(manifest, folder, under), store)
    models = [layer for layer in built.image.layers if layer.kind == "model"]
    assert [layer.title for layer in models] == ["index.json", "rows.fp16"]
    assert [layer.descriptor.digest for layer in models] == [f"sha256:{file.layer}" for file in manifest.files]
    assert sum(size for _, size in store.files.list("")) < 2 << 20
    config = json.loads(built.image.config)["config"]
    assert config["Labels"]["dev.lykeion.digest"] == manifest.digest
    assert config["Cmd"][0] == "lykeion.servers.index_server"


def test_the_image_of_a_space_runs_the_proxy_of_its_family(under, tmp_path):
    manifest, folder = published(tmp_path, {"space.json": b"{}", "extractor.onnx": b"x"}, "photos-space")
    command = serving(manifest, folder, under).settings.command
    assert command[0] == "lykeion.servers.proxy_server"
    assert command[-4:] == ("--document", "photos-cover", "--family", "photos")


def test_a_version_of_many_files_still_fits_into_an_image(store, under, tmp_path):
    manifest, folder = published(tmp_path, {f"part-{number:03}": bytes(number + 1) for number in range(200)})
    parts = model_parts(manifest, folder)
    assert len(parts) == ALONE + 1
    assert sum(isinstance(part, ModelFile) for part in parts) == ALONE
    built = build(serving(manifest, folder, under), store)
    assert len(built.image.layers) < 100


@pytest.mark.parametrize("others", [0, ALONE], ids=["layers of their own", "one layer together"])
def test_programs_and_empty_folders_of_a_version_are_in_its_image(store, under, tmp_path, others):
    files = {"s.sh": b"#!/bin/sh", "t": b"text"} | {f"part-{number:03}": bytes(100) for number in range(others)}
    manifest, folder = published(tmp_path, files, programs=("s.sh",), empty=("assets",))
    built = build(serving(manifest, folder, under), store)
    found = {}
    for layer in built.image.layers:
        if layer.kind == "model":
            whole = b"".join(unpack(layer.descriptor.media_type, store.read(layer.descriptor.digest)))
            with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
                found |= {entry.name: (entry.isdir(), entry.mode) for entry in tar}
    assert found["model/s.sh"] == (False, 0o755)
    assert found["model/t"] == (False, 0o644)
    assert found["model/assets"] == (True, 0o755)


def test_a_plan_says_what_is_there_and_writes_nothing(store, under, tmp_path):
    recipe = words(WORDS, under, tmp_path / "cache")
    before = set(store.files.list(""))
    assert {line.hit for line in plan(recipe, store)} == {False}
    assert set(store.files.list("")) == before
    build(recipe, store)
    lines = plan(recipe, store)
    assert {(line.hit, line.why) for line in lines} == {(True, "made before of the same content")}
    assert all(line.size for line in lines)
    assert "made of this content with gzip before" in plan(recipe, store, GZIP)[0].why


def test_more_parts_than_an_image_may_have_are_refused(store, under, tmp_path):
    many = tuple(replace(under.wheels[0], key=f"sha256:{number}") for number in range(120))
    with pytest.raises(Invalid, match="choose a base of fewer layers"):
        build(words(WORDS, replace(under, wheels=many), tmp_path / "cache"), store)
