"""What a step made is what the next one gets, from the volume and from the model repository: programs and empty folders too."""

import pytest

MAKE = """@component
def make(out: Output) -> None:
    (out.path / "s.sh").write_text("#!/bin/sh\\necho it ran\\n")
    (out.path / "s.sh").chmod(0o755)
    (out.path / "assets").mkdir()


@component
def use(tools: Input, out: Output) -> None:
    import subprocess

    ran = subprocess.run([tools.path / "s.sh"], capture_output=True, text=True, check=True).stdout
    (out.path / "ran").write_text(f"{ran}{os.listdir(tools.path / 'assets')}")
"""
HERE = """  steps:
    - {name: make, component: "./work.py:make"}
    - {name: use, component: "./work.py:use", inputs: {tools: make.out}}
  publish:
    - {output: make.out, model: m}
"""
FROM_THE_REPOSITORY = """  steps:
    - {name: use, component: "./work.py:use", inputs: {tools: {model: m, alias: stable}}, cache: never}
"""


@pytest.fixture(params=["same file system", "copied"])
def repository(request: pytest.FixtureRequest, monkeypatch) -> None:
    if request.param == "copied":
        monkeypatch.setattr("lykeion.repository.local_store.LocalStore.adopt", lambda *_: False)


@pytest.mark.usefixtures("repository")
def test_a_program_runs_and_an_empty_folder_is_there_in_the_next_step_and_as_a_model(cli, write, home):
    for spec in (HERE, FROM_THE_REPOSITORY):
        told = cli("run", write(spec, MAKE), "-o", "json").json
        key = next(step["key"] for step in told["steps"] if step["name"] == "use")
        assert (home / "outputs" / key / "out" / "ran").read_text() == "it ran\n[]"
