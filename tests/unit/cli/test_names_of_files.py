"""What a component's file is called matters to nobody but to pickles, and those find it."""

import pytest

WRITE = """import multiprocessing, pickle
from lykeion import Input, Output, component


class Model:
    x = 5


def double(x):
    return 2 * x


@component
def fit(out: Output) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (out.path / "doubled").write_text(str(pool.map(double, [4])))
    (out.path / "m.pkl").write_bytes(pickle.dumps(Model()))
"""
READ = """@component
def use(model: Input, out: Output, *, times: int = 1) -> None:
    import pickle

    (out.path / "x").write_text(str(pickle.loads((model.path / "m.pkl").read_bytes()).x * times))
"""


def spec(name: str, times: int = 1) -> str:
    return f"""  steps:
    - {{name: fit, component: "./{name}:fit"}}
    - {{name: use, component: "./work.py:use", inputs: {{model: fit.out}}, with: {{times: {times}}}}}
"""


def made(told, home, step: str, file: str) -> str:
    key = next(each["key"] for each in told.json["steps"] if each["name"] == step)
    return (home / "outputs" / key / "out" / file).read_text()


@pytest.mark.parametrize("name", ["train-model.py", "signal.py"])
def test_a_class_is_read_by_another_step_and_a_function_runs_in_spawned_processes(cli, write, home, tmp_path, name):
    (tmp_path / name).write_text(WRITE)
    told = cli("run", write(spec(name), READ), "-o", "json")
    assert (made(told, home, "fit", "doubled"), made(told, home, "use", "x")) == ("[8]", "5")


def test_what_a_file_pickled_is_made_again_when_it_has_another_name(cli, write, home, tmp_path):
    (tmp_path / "model.py").write_text(WRITE)
    cli("run", write(spec("model.py"), READ))
    (tmp_path / "model.py").rename(tmp_path / "classifier.py")
    told = cli("run", write(spec("classifier.py", times=3), READ), "-o", "json")
    assert made(told, home, "use", "x") == "15"
