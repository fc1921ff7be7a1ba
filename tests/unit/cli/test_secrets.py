"""Secrets: who may read them, and that a step sees them while no file keeps them."""

import json
import os
import subprocess

import pytest

from lykeion.adapters.local.secrets import Secrets
from lykeion.errors import Invalid, NotFound

VALUE = "s3cr3t-0f-the-sh0p"


@pytest.fixture
def secret(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()

    def keep(text: str = json.dumps({"token": VALUE}), mode: int = 0o600):
        path = folder / "shop.json"
        path.write_text(text)
        path.chmod(mode)
        return Secrets(folder)

    return keep


def test_a_secret_is_read_by_name_and_key(secret):
    assert secret()("shop", "token") == VALUE


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_secret_that_others_may_read_or_change_is_refused(secret, mode):
    with pytest.raises(Invalid, match="chmod 600"):
        secret(mode=mode)("shop", "token")


def test_what_is_not_there_is_told_with_how_to_write_it(secret, tmp_path):
    with pytest.raises(NotFound, match=r'other\.json as {"token": "…"} with mode 600'):
        secret()("other", "token")
    with pytest.raises(NotFound, match="no text under 'key'"):
        secret()("shop", "key")


@pytest.mark.parametrize("text", ["{", "", "\x00", "[1]", '{"token": 3}', '"token"', "null"])
def test_what_is_no_mapping_of_texts_is_told_without_its_content(secret, text):
    with pytest.raises((Invalid, NotFound)) as error:
        secret(text)("shop", "token")
    assert "shop.json" in str(error.value)


def test_a_folder_in_the_place_of_a_secret_is_told(secret, tmp_path):
    kept = secret()
    (tmp_path / "secrets" / "folder.json").mkdir(mode=0o700)
    with pytest.raises(Invalid, match="cannot be read"):
        kept("folder", "token")


USES = """@component
def make(out: Output) -> None:
    token = os.environ["TOKEN"]
    (out.path / "length").write_text(str(len(token)))
    assert "TOKEN" not in " ".join(os.listdir("."))


"""
SPEC = '  steps:\n    - {name: a, component: "./work.py:make", env: {TOKEN: "${secrets.shop.token}"}}\n'


def test_a_step_sees_the_value_and_no_file_of_the_home_keeps_it(cli, write, home):
    (home / "secrets").mkdir(parents=True)
    kept = home / "secrets" / "shop.json"
    kept.write_text(json.dumps({"token": VALUE}))
    kept.chmod(0o600)
    told = cli("run", write(SPEC, USES), "-o", "json").json
    assert told["phase"] == "Succeeded"
    (length,) = (home / "outputs" / told["steps"][0]["key"]).rglob("length")
    assert length.read_text() == str(len(VALUE))
    for words in (("get", "training", "p-1", "-o", "json"), ("explain", "p-1", "a"), ("describe", "training", "p-1"), ("logs", "p-1")):
        assert VALUE not in cli(*words).out
    holding = subprocess.run(["grep", "-rlaF", VALUE, str(home)], capture_output=True, text=True, check=False).stdout.split()
    assert holding == [str(kept)]


def test_a_new_value_is_no_new_key(cli, write, home):
    (home / "secrets").mkdir(parents=True)
    kept = home / "secrets" / "shop.json"
    for value, cache in (("one", "miss"), ("other", "hit")):
        kept.write_text(json.dumps({"token": value}))
        kept.chmod(0o600)
        assert cli("run", write(SPEC, USES), "-o", "json").json["steps"][0]["cache"] == cache


def test_a_step_without_its_secret_fails_with_the_way_out(cli, write, home):
    told = cli("run", write(SPEC, USES), code=1).err
    assert "there is no secret 'shop'" in told
    assert "shop.json" in told


def test_a_pipe_in_the_place_of_a_secret_is_told_and_not_waited_for(secret, tmp_path):
    kept = secret()
    os.mkfifo(tmp_path / "secrets" / "pipe.json", 0o600)
    with pytest.raises(Invalid, match="it is a pipe, not a file"):
        kept("pipe", "token")
