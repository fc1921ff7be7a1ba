"""`-o json` and `-o yaml`: the keys that others script against, the same in both, for every command that answers with a result."""

import shutil
from pathlib import Path

import pytest
import yaml

SPEC = """  steps:
    - {name: a, component: "./work.py:make"}
    - {name: b, component: "./work.py:take", inputs: {given: a.out}}
  publish:
    - {output: b.out, model: shoes}
"""
CODE = """@component
def make(out: Output) -> None:
    (out.path / "x").write_text("made")


@component
def take(step: Step, given: Input, out: Output) -> None:
    (out.path / "x").write_text("taken")
    step.metric("recall", 0.5)


"""
STEP = {"name", "state", "cache", "why", "key", "seconds", "cpuSeconds", "attempts", "metrics", "message"}
RESOURCE = {"apiVersion", "kind", "metadata", "spec"}
MANIFEST = {"model", "version", "digest", "files", "metrics", "lineage", "created"}
MOVED = {"model", "alias", "version"}

KEYS = [
    (("run", "{file}"), {"training", "phase", "steps", "published"}),
    (("run", "{file}", "--no-wait"), {"training", "phase"}),
    (("run", "{file}", "--step", "b"), {"step", "outputs"}),
    (("rerun", "p-1"), {"training", "phase", "steps", "published"}),
    (("explain", "{file}"), [{"name", "cache", "key", "why"}]),
    (("explain", "p-1", "b"), [{"name", "cache", "key", "why", "material"}]),
    (("apply", "-f", "{file}"), [{"kind", "name", "change"}]),
    (("get", "pipelines"), [RESOURCE]),
    (("get", "training", "p-1"), RESOURCE | {"status"}),
    (("describe", "training", "p-1"), {"resource", "events"}),
    (("models", "list"), [{"model", "versions", "aliases"}]),
    (("models", "list", "shoes"), [MANIFEST]),
    (("models", "show", "shoes"), MANIFEST | {"image"}),
    (("models", "alias", "shoes@1", "tried"), MOVED),
    (("models", "alias", "shoes", "stable"), [{"n", "version", "at", "reason"}]),
    (("models", "verify"), []),
    (("models", "prune", "--dry-run"), {"dryRun", "removed", "kept"}),
    (("gc", "--dry-run"), {"dryRun", "removed", "kept", "notes"}),
    (("doctor", "--port", "0"), [{"name", "ok", "detail", "remedy"}]),
    (("delete", "training", "p-1"), [{"kind", "name", "change"}]),
    (("models", "rm", "shoes@1", "--force"), {"model", "version", "change"}),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """Where a home is kept in which one Training has run."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def one_run(cli, write, home, prepared):
    """The file of a pipeline that has run once here."""
    file = write(SPEC, CODE)
    if not (prepared / "home").exists():
        cli("run", file, "-q")
        shutil.copytree(home, prepared / "home", symlinks=True)
    elif not home.exists():
        shutil.copytree(prepared / "home", home, symlinks=True)
    return file


def told(cli, words, output, code=0):
    said = cli(*words, "-o", output, code=None)
    assert said.code == code or words[0] == "doctor", said.err
    return yaml.safe_load(said.out)  # JSON is YAML


@pytest.mark.parametrize(("words", "keys"), KEYS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
@pytest.mark.parametrize("output", ["json", "yaml"])
def test_every_command_answers_with_the_promised_keys(cli, one_run, words, keys, output):
    answer = told(cli, [word.format(file=one_run) for word in words], output)
    if isinstance(keys, set):
        assert keys <= answer.keys()
    else:
        assert isinstance(answer, list)
        assert [one.keys() >= wanted for one in answer for wanted in keys] == [True] * len(answer)
        assert bool(answer) == bool(keys)


def test_of_a_run_every_step_and_every_version_is_told_with_all_its_keys(cli, one_run):
    answer = cli("rerun", "p-1", "-o", "json").json
    assert [set(step) for step in answer["steps"]] == [STEP, STEP]
    assert [step["cache"] for step in answer["steps"]] == ["hit", "hit"]
    (published,) = answer["published"]
    assert published.keys() == {"model", "version", "output", "alias", "whyNot"}
    assert (published["model"], published["version"], published["output"]) == ("shoes", 1, "b.out")


def test_where_there_is_nothing_programs_get_an_empty_list(cli):
    for words in (("get", "pipelines"), ("get", "trainings"), ("get", "servings"), ("models", "list"), ("models", "verify")):
        assert cli(*words, "-o", "json").json == []
        assert yaml.safe_load(cli(*words, "-o", "yaml").out) == []


def test_an_error_leaves_stdout_empty_so_that_no_program_takes_it_for_an_answer(cli, one_run):
    for words, code in ((("get", "training", "p-9"), 3), (("explain", one_run, "zzz"), 3), (("gc", "--older-than", "soon"), 2)):
        said = cli(*words, "-o", "json", code=code)
        assert said.out == ""
        assert said.err.startswith(f"lykeion {words[0]}: ")


def test_explain_of_a_training_that_has_not_begun_says_so(cli, one_run):
    cli("run", one_run, "--no-wait")
    assert "has not begun" in cli("explain", "p-2").out
    assert cli("explain", "p-2", "-o", "json").json == []


def test_explain_says_what_has_changed_and_what_is_not_known_yet(cli, one_run, tmp_path):
    code = tmp_path / "work.py"
    code.write_text(code.read_text().replace('write_text("made")', 'write_text("made anew")'))
    first, second = cli("explain", one_run, "-o", "json").json
    assert (first["cache"], first["why"]) == ("miss", "work.py changed (since p-1)"), first
    assert second["key"] == ""
    assert second["why"]
    code.write_text(code.read_text().replace("made anew", "made"))
    assert [one["cache"] for one in cli("explain", one_run, "-o", "json").json] == ["hit", "hit"]
    assert "nothing that decides its result has changed" in cli("explain", one_run).out


def test_a_run_without_cache_runs_all_and_what_it_made_is_found_by_the_next(cli, one_run):
    anew = cli("run", one_run, "--no-cache", "-o", "json").json
    assert [step["state"] for step in anew["steps"]] == ["Succeeded", "Succeeded"]
    assert [step["cache"] for step in cli("run", one_run, "-o", "json").json["steps"]] == ["hit", "hit"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gc", "--older-than", "5 weeks"), "--older-than"),
        (("gc", "--keep", "-1"), "--keep"),
        (("models", "prune", "--keep", "-1"), "--keep"),
    ],
)
def test_what_would_keep_less_than_nothing_is_refused_before_anything_goes(cli, one_run, words, says):
    assert says in cli(*words, code=2).err
    assert len(cli("models", "list", "shoes", "-o", "json").json) == 1


def test_gc_says_what_goes_and_why_the_rest_stays_and_does_as_it_said(cli, one_run):
    words = ("gc", "--older-than", "0s", "--keep", "0")
    kept = cli(*words, "--dry-run", "-o", "json").json
    assert kept["dryRun"] is True
    assert "output" not in kept["removed"] or kept["removed"]["output"]["count"] < 2, "a version was made of one"
    cli("delete", "training", "p-1")
    cli("models", "rm", "shoes@1", "--force")
    would = cli(*words, "--dry-run", "-o", "json").json
    assert would["removed"]["output"]["count"] == 2
    assert cli(*words, "--dry-run", "-o", "json").json == would, "a dry run changes nothing"
    assert "WOULD GO" in cli(*words, "--dry-run").out
    gone = cli(*words, "-o", "json").json
    assert (gone["dryRun"], gone["removed"]["output"]) == (False, would["removed"]["output"])
    assert "output" not in cli(*words, "-o", "json").json["removed"]
    assert [step["cache"] for step in cli("run", one_run, "-o", "json").json["steps"]] == ["miss", "miss"]


def test_gc_of_an_empty_home_says_that_there_is_nothing(cli):
    assert "there is nothing on the volume yet" in cli("gc").out


def test_after_a_run_that_failed_the_reason_is_told_by_the_last_that_did_not(cli, one_run, tmp_path):
    code = tmp_path / "work.py"
    good = code.read_text()
    code.write_text(good.replace('write_text("made")', "write_text(1)"))
    cli("run", one_run, "-q", code=1)
    code.write_text(good.replace('write_text("made")', 'write_text("mended")'))
    assert cli("run", one_run, "-q", "-o", "json").json["steps"][0]["why"] == "work.py changed (since p-1)"


def test_the_material_of_a_known_key_is_told_before_and_after_there_is_a_result(cli, one_run, tmp_path):
    code = tmp_path / "work.py"
    code.write_text(code.read_text().replace('write_text("made")', "write_text(1)"))
    foreseen = cli("explain", one_run, "a", "-o", "json").json[0]
    cli("run", one_run, "-q", code=1)
    failed = cli("explain", "p-2", "a", "-o", "json").json[0]
    assert foreseen["material"] == failed["material"]
    assert foreseen["material"]["identity"].startswith("sha256:")
    assert cli("explain", "p-2", "b", "-o", "json").json[0]["material"] == {}  # its key was never known
