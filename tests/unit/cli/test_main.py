"""The entry: finds commands, and turns what goes wrong into a sentence and a code."""

import io
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from lykeion.cli import image
from lykeion.cli import main as entry
from lykeion.errors import Conflict, Corrupt, Invalid, LykeionError, NotFound, Unavailable

LYKEION = Path(sys.executable).with_name("lykeion")


def raising(error: BaseException):
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LykeionError("it failed"), 1),
        (Invalid("it failed"), 2),
        (NotFound("it failed"), 3),
        (Conflict("it failed"), 4),
        (Unavailable("it failed"), 5),
        (Corrupt("it failed"), 6),
    ],
)
@pytest.mark.parametrize("verbose", [False, True])
def test_every_error_is_a_sentence_and_a_code_and_a_traceback_only_when_asked_for(capsys, error, code, verbose):
    assert entry.guarded(raising(error), Namespace(command="run", verbose=verbose)) == code
    told = capsys.readouterr().err
    assert told.endswith("lykeion run: it failed\n")
    assert ("Traceback" in told) == verbose


def test_the_codes_are_documented():
    assert entry.__doc__
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f"{code} " in entry.__doc__


def test_ctrl_c_is_130(capsys):
    assert entry.guarded(raising(KeyboardInterrupt()), Namespace(command="up", verbose=False)) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        entry.guarded(raising(ZeroDivisionError()), Namespace(command="run", verbose=False))


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    for words in (["doctor", "-o", "json"], ["get", "pipelines"]):
        command = shlex.join([str(LYKEION), *words, "--home", str(tmp_path / "home")])
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | exec 0<&-"], capture_output=True, text=True, timeout=60)
        assert done.stderr == "", command
        assert done.returncode in (0, 1)


def test_no_command_shows_the_usage_and_fails_and_help_succeeds(cli):
    assert cli(code=2).out == cli("--help").out == cli("help").out
    assert all(name in cli("-h").out for name in entry.COMMANDS)


def test_the_version_is_told(cli):
    assert cli("--version").out.startswith("lykeion 0.")


@pytest.mark.parametrize(("typed", "meant"), [("explian", "explain"), ("ran", "run"), ("modles", "models")])
def test_a_misspelt_command_is_answered_with_the_nearest(cli, typed, meant):
    assert f"did you mean {meant}?" in cli(typed, code=2).err


def test_a_command_like_no_other_is_answered_with_where_they_are(cli):
    assert "see lykeion --help" in cli("xyzzy", code=2).err


@pytest.mark.parametrize("command", sorted(entry.COMMANDS))
def test_every_command_explains_itself_and_takes_what_all_take(cli, command):
    told = cli(command, "--help").out
    assert f"usage: lykeion {command}" in told
    assert all(option in told for option in ("--home", "--output", "--verbose"))


def test_every_action_explains_itself_and_takes_what_all_take(cli):
    for action in image.ACTIONS:
        told = cli("image", action, "--help").out
        assert f"usage: lykeion image {action}" in told
        assert all(option in told for option in ("--home", "--output", "--verbose"))
    assert "--dry-run" in cli("models", "prune", "--help").out


def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The entry in a process of its own, with a line before or after it."""
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (("--help",), {"pydantic", "rich", "yaml"}),
        (("image", "--help"), {"pydantic", "rich", "packaging", "urllib3"}),
        (("image", "list", "--help"), {"numpy", "pyarrow"}),
        (("image", "list"), {"numpy", "pyarrow", "pydantic", "rich", "urllib3", "cryptography"}),
        (("image", "plan", "--help"), {"numpy", "pyarrow", "rich", "urllib3", "cryptography"}),
        (("get", "trainings"), {"numpy", "pyarrow", "rich", "urllib3", "cryptography"}),
        (("models", "--help"), {"numpy", "pyarrow"}),
    ],
)
def test_a_command_loads_only_what_it_is_asked_for(home, words, absent):
    ran = python(
        "import sys\nfrom lykeion.cli.main import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules, file=sys.stderr)", *words
    )
    assert ran.returncode == 0
    assert "lykeion.cli.main" in ran.stderr
    assert not absent & set(ran.stderr.split())


def test_what_is_not_installed_is_named_with_what_brings_it():
    ran = python("import sys\nsys.modules['zstandard'] = None\nfrom lykeion.cli.main import main\nsys.exit(main(['image', 'list']))")
    told = "lykeion image: images need zstandard, which is not installed: pip install 'lykeion[images]'\n"
    assert (ran.returncode, ran.stderr) == (1, told)


def test_an_option_that_there_is_not_is_a_mistake(cli):
    assert "--colour" in cli("get", "pipelines", "--colour", code=2).err
    assert "invalid choice" in cli("get", "pipelines", "-o", "xml", code=2).err


EXAMPLE = "examples/01-one-step/pipeline.yaml"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "none.yaml"), 2, "none.yaml: cannot be read"),
        (("run", EXAMPLE, "-p", "n"), 2, "name=value"),
        (("run", EXAMPLE, "-p", "n=many"), 2, "parameters.n"),
        (("run", EXAMPLE, "-p", "m=3"), 2, "parameters.m"),
        (("run", EXAMPLE, "-p", "n=1000"), 2, "at most 100"),
        (("run", EXAMPLE, "-p", "n=" + "9" * 400), 2, "at most 100"),
        (("run", EXAMPLE, "--only", "nothing"), 2, "nothing"),
        (("explain", "nothing"), 3, "nothing"),
        (("apply", "-f", "none.yaml"), 2, "none.yaml"),
        (("apply", "-f", "examples/01-one-step"), 0, ""),
        (("get", "trainigs"), 2, "did you mean"),
        (("get", "training", "none"), 3, "none"),
        (("describe", "pipeline"), 2, "which one"),
        (("describe", "pipeline", "none"), 3, "none"),
        (("delete", "pipeline"), 2, "which ones"),
        (("delete", "pipeline", "none"), 3, "none"),
        (("logs", "none"), 3, "none"),
        (("logs", "none", "--tail", "-1"), 2, "--tail"),
        (("cancel", "none"), 3, "none"),
        (("rerun", "none"), 3, "none"),
        (("models", "show", "none"), 3, "none"),
        (("models", "rm", "none"), 2, "which version"),
        (("models",), 2, "ACTION"),
        (("search", "none", "--item", "x"), 3, "none"),
        (("search", "none"), 2, "picture"),
        (("search", "none", "/nowhere.jpg"), 3, "/nowhere.jpg"),
        (("gc", "--older-than", "soon"), 2, "soon"),
        (("demo", "--pictures", "/nowhere"), 3, "/nowhere"),
        (("gc", "--older-than", "9" * 400 + "d"), 2, "--older-than"),
        (("models", "prune", "--older-than", "999999999999d"), 2, "--older-than"),
        (("doctor", "--port", "70000"), 2, "65535"),
        (("logs", ""), 3, "no logs of ''"),
        (("logs", "*"), 3, "no logs of '*'"),
        (("get", "training", "\udcff"), 2, "'\\udcff': this is no text in UTF-8"),
        (("run", EXAMPLE, "-p", "n=\udcff"), 2, "no text in UTF-8"),
        (("up", "--port", "70000"), 2, "65535"),
        (("up", "--port", "-1"), 2, "65535"),
    ],
)
def test_mistakes_are_answered_with_a_sentence_and_a_code(cli, words, code, says, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    assert says in cli(*words, code=code).err


def test_a_home_that_cannot_be_is_said(cli, tmp_path):
    (tmp_path / "file").write_text("")
    assert "choose another with --home" in cli("get", "pipelines", "--home", tmp_path / "file" / "home", code=5).err


def test_a_pipeline_comes_from_stdin_too(cli, monkeypatch, tmp_path):
    monkeypatch.chdir(Path(__file__).parents[3] / "examples" / "01-one-step")
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path("pipeline.yaml").read_text()))
    assert cli("run", "-", "-o", "json").json["phase"] == "Succeeded"


def test_words_of_a_command_line_reach_the_terminal_as_signs(capsys):
    with pytest.raises(SystemExit):
        entry.main(["run", "a", "\x1b[2Jb"])
    assert "␛[2Jb" in capsys.readouterr().err
