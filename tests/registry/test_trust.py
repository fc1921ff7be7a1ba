"""Signatures and SBOMs lie beside images in a real registry; what nobody who is trusted has signed is not taken from it."""

import json

import pytest

from lykeion.adapters.images.store import Store
from lykeion.adapters.images.trust import read_key
from lykeion.adapters.registry.attached import TRUST, attach, attached
from lykeion.adapters.registry.push import pull
from lykeion.cli.main import main
from lykeion.core.images.oci import Settings, image
from lykeion.core.images.references import parse_reference
from lykeion.core.images.sbom import MEDIA_TYPE, sbom
from lykeion.core.images.signature import ANNOTATIONS, BUNDLE
from lykeion.errors import Corrupt, NotFound
from lykeion.testing.registries import OLAREG


@pytest.fixture
def pushed(push_one, name):
    return push_one(name)


def test_what_is_attached_is_found_by_its_kind_and_once(registry, pushed):
    document = sbom("x", image([], Settings()), [("pkg:pypi/a@1", "")])
    for _ in range(2):
        attach(registry, pushed, MEDIA_TYPE, document)
    assert attached(registry, pushed, MEDIA_TYPE) == [document]
    assert attached(registry, pushed, BUNDLE) == []


def test_a_tag_stands_for_the_list_only_where_a_registry_has_none(registry, server, pushed):
    attach(registry, pushed, MEDIA_TYPE, sbom("x", image([], Settings()), [("pkg:pypi/a@1", "")]))
    listed = server.program.endswith(OLAREG)
    assert (registry.digest(pushed.repository, pushed.digest.replace(":", "-")) is None) is listed


def test_only_what_a_trusted_key_has_signed_is_pulled(registry, pushed, keys, tmp_path, monkeypatch):
    monkeypatch.setenv(TRUST, f"{keys}/mine.pub")
    with pytest.raises(Corrupt, match="is not trusted: nobody has signed it"):
        pull(Store(tmp_path / "a"), registry, pushed)
    attach(registry, pushed, BUNDLE, read_key(keys / "other", b"").sign(pushed.digest), ANNOTATIONS)
    with pytest.raises(Corrupt, match="no trusted key"):
        pull(Store(tmp_path / "b"), registry, pushed)
    assert Store(tmp_path / "b").tags() == {}
    attach(registry, pushed, BUNDLE, read_key(keys / "mine", b"").sign(pushed.digest), ANNOTATIONS)
    assert pull(Store(tmp_path / "c"), registry, pushed).digest == pushed.digest


def test_a_tag_that_was_moved_to_an_unsigned_image_is_not_followed(registry, pushed, push_one, keys, server, name, tmp_path, monkeypatch):
    attach(registry, pushed, BUNDLE, read_key(keys / "mine", b"").sign(pushed.digest), ANNOTATIONS)
    push_one("evil")
    monkeypatch.setenv(TRUST, f"{keys}/mine.pub")
    with pytest.raises(Corrupt, match="nobody has signed it"):
        pull(Store(tmp_path / "a"), registry, parse_reference(f"{server.host}/{name}:1"))


def test_a_key_that_is_named_and_not_there_lets_nothing_through(registry, pushed, tmp_path, monkeypatch):
    monkeypatch.setenv(TRUST, str(tmp_path / "missing.pub"))
    with pytest.raises(NotFound, match=r"missing\.pub cannot be read"):
        pull(Store(tmp_path / "a"), registry, pushed)


def test_signing_and_verifying_from_the_command_line(pushed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LYKEION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LYKEION_KEY_PASSPHRASE", "secret words")
    key = tmp_path / "lykeion.key"
    tagged = f"{pushed.name}:1"

    def call(*words: object) -> int:
        return main([str(word) for word in ("image", *words, "-o", "json")])

    assert call("keygen", "--to", key) == 0
    assert call("verify", tagged, "--key", f"{key}.pub") == 6
    assert "nobody has signed it" in capsys.readouterr().err
    assert call("sign", tagged, "--key", key) == 0
    assert json.loads(capsys.readouterr().out) == {"image": str(pushed)}
    assert call("verify", tagged, "--key", f"{key}.pub") == 0
    monkeypatch.setenv(TRUST, f"{key}.pub")
    assert call("verify", pushed) == 0
    capsys.readouterr()
    monkeypatch.setenv("LYKEION_KEY_PASSPHRASE", "wrong")
    assert call("sign", tagged, "--key", key) == 2
    told = capsys.readouterr().err
    assert "not opened by this passphrase" in told
    assert "wrong" not in told
    monkeypatch.delenv(TRUST)
    assert call("verify", pushed) == 2
    assert call("verify", f"{pushed.name}-missing:1", "--key", f"{key}.pub") == 3
