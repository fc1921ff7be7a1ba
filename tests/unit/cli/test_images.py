"""`lykeion image` about what is here: damaged images, foreign ones, and places that cannot be written to, each in a sentence."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lykeion.adapters.images.store import Store
from lykeion.core.content import digest_of
from lykeion.core.images.oci import TAR, Descriptor, Image, Layer, Settings, image


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home / "images")


def put(store: Store, tag: str, text: bytes) -> Image:
    blob = store.add([text], TAR)
    made = image([Layer(blob, blob.digest)], Settings(entrypoint=("/bin/true",)))
    store.put_image(made, tag)
    return made


def damage(store: Store, digest: str) -> None:
    os.chmod(store.path(digest), 0o644)
    store.path(digest).write_bytes(b"{}")


@pytest.mark.parametrize("how", ["its manifest", "its config", "its manifest is gone"])
def test_a_damaged_image_is_listed_as_one_and_keeps_no_other_from_being_listed(cli, store, how):
    bad, good = put(store, "bad:1", b"bad"), put(store, "good:1", b"good")
    if how == "its manifest is gone":
        store.path(bad.digest).unlink()
    else:
        damage(store, bad.digest if how == "its manifest" else bad.config_descriptor.digest)
    said = cli("image", "list", "-o", "json")
    assert said.json == [
        {"name": "bad:1", "digest": bad.digest, "layers": None, "size": None},
        {"name": "good:1", "digest": good.digest, "layers": 1, "size": 4},
    ]
    assert said.err.startswith("bad:1: ")
    assert "build or pull the image again" in said.err.replace("\n", " ")
    assert "damaged" in cli("image", "list").out
    assert "build or pull the image again" in cli("image", "show", "bad:1", code=None).err
    cli("image", "rm", "bad:1")
    assert [one["name"] for one in cli("image", "list", "-o", "json").json] == ["good:1"]


def test_an_image_of_another_tool_that_says_nothing_of_its_start_is_shown(cli, store):
    made = put(store, "ours:1", b"x")
    told = {name: value for name, value in json.loads(made.config).items() if name in ("architecture", "os", "rootfs")}
    config = json.dumps(told).encode()
    manifest = {**json.loads(made.manifest), "config": Descriptor("x", digest_of(config), len(config)).to_json()}
    store.put_image(replace(made, config=config, manifest=json.dumps(manifest).encode()), "theirs:1")
    shown = cli("image", "show", "theirs:1", "-o", "json").json
    assert (shown["config"], len(shown["layers"])) == ({}, 1)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["image", "keygen", "--to", "nowhere/key"], "nowhere/key"),
        (["image", "save", "ours:1", "--to", "nowhere/image.tar"], "nowhere/image.tar"),
        (["image", "save", "ours:1", "--to", "file/image.tar"], "file/image.tar"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_named(cli, store, tmp_path, monkeypatch, words, file):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LYKEION_KEY_PASSPHRASE", "")
    (tmp_path / "file").write_text("")
    put(store, "ours:1", b"x")
    said = cli(*words, code=5)
    assert file in said.err
    assert "o such file or directory" in said.err or "ot a directory" in said.err
    assert "Traceback" in cli(*words, "-v", code=5).err


def test_what_is_freed_is_told_and_what_is_named_stays(cli, store):
    put(store, "stays:1", b"stays")
    put(store, "goes:1", b"goes")
    for key, _ in store.files.list(""):
        os.utime(store.files.file(key), (0, 0))
    cli("image", "rm", "goes:1")
    told = cli("image", "gc", "--dry-run", "-o", "json").json
    assert (len(told["blobs"]), told["dry_run"]) == (3, True)
    assert store.has(digest_of(b"goes"))
    assert cli("image", "gc", "-o", "json").json == {**told, "dry_run": False}
    assert not store.has(digest_of(b"goes"))
    assert cli("image", "show", "stays:1", "-o", "json").json["layers"][0]["digest"] == digest_of(b"stays")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["show", "ours:2"], 3, "did you mean ours:1?"),
        (["rm", "nothing-like-it"], 3, "there are: ours:1"),
        (["save", "ours:1", "--to", "/dev/null"], 2, "no file that an image could be written to"),
        (["push", "ours:1"], 2, "it is not said which registry it goes to"),
        (["pull", "ours"], 2, "does not say which registry"),
        (["pull", "localhost:1/x@sha256:1"], 2, "write sha256: and 64 hex digits"),
        (["build", "photos"], 2, "neither a pipeline file nor a version"),
        (["build", "photos@1"], 3, "there is no model photos"),
        (["build", "nowhere.yaml"], 2, "nowhere.yaml: cannot be read"),
        (["build", "photos@1", "--codec", "rar"], 2, "use one of zstd, gzip, none"),
        (["verify", "localhost:1/x:1"], 2, "it is not said whom to trust"),
        (["verify", "localhost:1/x:1", "--key", "no.pub"], 3, "the key no.pub cannot be read"),
        (["watch"], 2, "it is not said where images go"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(cli, store, monkeypatch, words, code, told):
    for name in ("LYKEION_REGISTRY", "LYKEION_TRUST"):
        monkeypatch.delenv(name, raising=False)
    put(store, "ours:1", b"x")
    assert told in cli("image", *words, code=code).err
