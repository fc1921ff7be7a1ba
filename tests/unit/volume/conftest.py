"""Sealed folders, made the way a step makes them."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lykeion.adapters.volume.manifest import Manifest
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.seal import seal
from lykeion.adapters.volume.verify import read_manifest
from lykeion.core.pipelines.contract import RESULT_FILE, StepFile

KEY = "a" * 64
Sealed = tuple[Path, Manifest]
MakeSealed = Callable[..., Sealed]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def outputs(home: Path) -> DirectoryOutputs:
    return DirectoryOutputs(home)


@pytest.fixture
def make_sealed(home: Path) -> MakeSealed:
    """make_sealed({"out/a.txt": "text"}, key=…, partition=…, count=…, result={…}, started=…)"""
    made = 0

    def make(files, *, key=KEY, partition=None, count=0, result=None, started=None, outputs=("out",)) -> Sealed:
        nonlocal made
        made += 1
        folder = home / "staging" / f"attempt-{made}" / "step"
        for name in outputs:
            (folder / name).mkdir(parents=True)
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        if result is not None:
            (folder / RESULT_FILE).write_text(json.dumps(result))
        step = StepFile("step", "m:f", key, outputs=outputs, partition_count=count, material={"identity": "i"})
        seal(str(folder), step, time.time() if started is None else started, partition)
        manifest = read_manifest(str(folder))
        assert manifest is not None
        return folder, manifest

    return make
