"""cosign and Lykeion take each other's signatures, in registries that list referrers and in those that do not."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lykeion.adapters.images.trust import read_key
from lykeion.adapters.registry.attached import TRUST, attach, require_trust
from lykeion.core.images.references import Reference
from lykeion.core.images.signature import ANNOTATIONS, BUNDLE
from lykeion.errors import Corrupt

COSIGN = "cosign-v3.0.5"
DOCUMENTED = re.search(r"^cosign (verify .*)$", (Path(__file__).parents[2] / "docs/architecture/65-images.md").read_text(), re.MULTILINE)
ALONE = ("--tlog-upload=false", "--use-signing-config=false", "--new-bundle-format=true", "--yes")

Cosign = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cosign(tmp_path_factory) -> Cosign:
    program = shutil.which(COSIGN)
    if program is None:
        pytest.skip(f"{COSIGN} is not here (scripts/cosign builds it)")
    env = {**os.environ, "HOME": str(tmp_path_factory.mktemp("cosign")), "COSIGN_PASSWORD": ""}
    return lambda *words: subprocess.run([program, *map(str, words)], env=env, capture_output=True, text=True, check=False, timeout=60)


def verify(image: Reference, key: Path) -> list[str]:
    """The command of the documentation."""
    assert DOCUMENTED
    return shlex.split(DOCUMENTED[1].replace("lykeion.key.pub", str(key)).replace("HOST/NAME@DIGEST", f"{image.name}@{image.digest}"))


def test_cosign_accepts_what_we_have_signed_and_nothing_else(cosign, registry, push_one, keys):
    signed, unsigned = push_one("signed"), push_one("unsigned")
    attach(registry, signed, BUNDLE, read_key(keys / "mine", b"").sign(signed.digest), ANNOTATIONS)
    accepted = cosign(*verify(signed, keys / "mine.pub"))
    assert accepted.returncode == 0, accepted.stderr
    assert signed.digest in accepted.stdout
    assert cosign(*verify(signed, keys / "other.pub")).returncode
    assert cosign(*verify(unsigned, keys / "mine.pub")).returncode


def test_cosign_does_not_accept_a_signature_that_was_moved_to_another_image(cosign, registry, push_one, keys):
    signed, other = push_one("signed"), push_one("other")
    attach(registry, other, BUNDLE, read_key(keys / "mine", b"").sign(signed.digest), ANNOTATIONS)
    assert cosign(*verify(other, keys / "mine.pub")).returncode


def test_we_accept_what_cosign_has_signed_and_nothing_else(cosign, registry, push_one, keys, monkeypatch):
    signed, unsigned = push_one("signed"), push_one("unsigned")
    assert cosign("import-key-pair", "--key", keys / "mine", "--output-key-prefix", keys / "cosign", "--yes").returncode == 0
    made = cosign("sign", "--key", keys / "cosign.key", *ALONE, f"{signed.name}@{signed.digest}")
    assert made.returncode == 0, made.stderr
    monkeypatch.setenv(TRUST, f"{keys}/mine.pub")
    require_trust(registry, signed)
    with pytest.raises(Corrupt, match="nobody has signed it"):
        require_trust(registry, unsigned)
    monkeypatch.setenv(TRUST, f"{keys}/other.pub")
    with pytest.raises(Corrupt, match="no trusted key"):
        require_trust(registry, signed)
