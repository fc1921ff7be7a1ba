"""Commands called in this process, each test in a home of its own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lykeion.assembly import Platform, local
from lykeion.cli.main import main
from lykeion.testing.commands import LYKEION, Said
from lykeion.testing.servers import until

HEAD = "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\n"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    found = tmp_path / "home"
    monkeypatch.setenv("LYKEION_HOME", str(found))
    monkeypatch.delenv("LYKEION_REPOSITORY", raising=False)
    return found


@pytest.fixture
def cli(home, capsys) -> Callable[..., Said]:
    """`cli("run", file)` in this process; the exit code must be `code`, if one is given."""

    def call(*words, code: int | None = 0) -> Said:
        capsys.readouterr()
        try:
            ended = main([str(word) for word in words])
        except SystemExit as stop:  # argparse
            ended = int(stop.code or 0)
        said = capsys.readouterr()
        assert "/lykeion/cli/" not in said.err or "-v" in words, said.err
        assert code is None or ended == code, said.err + said.out
        return Said(ended, said.out, said.err)

    return call


@pytest.fixture
def platform(home) -> Iterator[Platform]:
    with local() as found:
        yield found


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """A pipeline's file, and beside it the components that it uses."""

    def written(spec: str, code: str = "", name: str = "p") -> Path:
        (tmp_path / "work.py").write_text(
            "import os, time\nfrom pathlib import Path\nfrom lykeion import Input, Output, Step, component\n\n\n" + code
        )
        file = tmp_path / f"{name}.yaml"
        file.write_text(f"{HEAD}metadata: {{name: {name}}}\nspec:\n{spec}")
        return file

    return written


@pytest.fixture
def beside(home) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`beside("up", …)` starts a command in another process, which is gone when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*words) -> subprocess.Popen[str]:
        environment = {**os.environ, "LYKEION_HOME": str(home)}
        process = subprocess.Popen([LYKEION, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@pytest.fixture(name="until")
def until_in_this_test() -> Callable[..., object]:
    return until
