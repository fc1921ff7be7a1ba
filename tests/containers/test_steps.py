"""What a step that runs an image is given, what it may do, and what becomes of it, by every runtime of this machine."""

import json

import psutil
from image_files import busybox, layer_of, put


def test_what_it_writes_becomes_the_output(engine):
    child = engine.runs("echo hello > /lykeion/staging/out/f; mkdir /lykeion/staging/out/below; echo deep > /lykeion/staging/out/below/g")
    assert (engine.made(child, "f"), engine.made(child, "below/g")) == ("hello\n", "deep\n")


def test_the_step_file_has_the_paths_that_it_sees(engine):
    given = engine.runs("echo 7 > /lykeion/staging/out/n", name="first")
    (result,) = given.results.values()
    inputs = {"number": f"outputs/{result.key}/out"}
    child = engine.runs(
        "cat $LYKEION_STEP > /lykeion/staging/out/step.json; cat /lykeion/inputs/number/n; touch /lykeion/cache/kept",
        inputs=inputs, digests={"number": result.outputs["out"]}, parameters={"rate": 0.5}, window=("2026-01-01", "2026-01-02"),
    )  # fmt: skip
    step = json.loads(engine.made(child, "step.json"))
    assert step["inputs"] == {"number": "/lykeion/inputs/number"}
    assert (step["staging"], step["cache"]) == ("/lykeion/staging", "/lykeion/cache")
    assert (step["parameters"], step["window"]) == ({"rate": 0.5}, ["2026-01-01", "2026-01-02"])
    assert engine.log() == "7\n"


def test_it_is_nobody_and_may_nothing(engine):
    child = engine.runs("id > /lykeion/staging/out/id; cat /proc/self/status > /lykeion/staging/out/status")
    assert engine.made(child, "id").startswith("uid=65532")
    assert "gid=65532" in engine.made(child, "id")
    status = engine.made(child, "status")
    assert all(f"Cap{kind}:\t0000000000000000" in status for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"))
    assert "NoNewPrivs:\t1" in status


def test_nothing_but_its_outputs_its_cache_and_tmp_can_be_written(engine, home):
    places = "/ /bin /etc /lykeion /lykeion/inputs/given /var /home /proc/sys/kernel /dev"
    (home / "cache" / "given").mkdir(parents=True)
    child = engine.runs(
        f'for place in {places}; do (touch $place/x) 2>/dev/null && echo "wrote $place"; done; echo kernel > /proc/sys/kernel/core_pattern;'
        "touch /tmp/x /lykeion/cache/x /lykeion/staging/x && echo allowed > /lykeion/staging/out/f; true",
        inputs={"given": "cache/given"},
    )
    assert "wrote" not in engine.log()
    assert engine.made(child, "f") == "allowed\n"
    assert not (home / "cache" / "given" / "x").exists()


def test_there_is_no_network_but_itself(engine):
    engine.runs("cat /proc/net/dev > /lykeion/staging/out/dev; ls /sys/class/net 2>/dev/null; true")
    child = engine.runs("cat /proc/net/route > /lykeion/staging/out/route", name="second")
    assert engine.made(child, "route").count("\n") <= 1


def test_a_network_is_there_for_those_who_ask(engine):
    alone = engine.runs("cat /proc/net/dev > /lykeion/staging/out/dev", name="alone")
    child = engine.runs("cat /proc/net/dev > /lykeion/staging/out/dev", network=True)
    assert engine.made(child, "dev").count("\n") > engine.made(alone, "dev").count("\n")


def test_it_has_the_environment_of_its_image_and_of_its_step_and_no_other(engine):
    engine.runs("env", env={"COLOUR": 'a "quoted"\nred'})
    log = engine.log()
    assert 'COLOUR=a "quoted"\nred' in log
    assert "PATH=/bin\n" in log
    assert "LYKEION_STEP=/lykeion/step.json" in log
    assert "VIRTUAL_ENV" not in log
    assert "PYTEST" not in log


def test_a_value_reaches_it_whole_whatever_is_in_it(engine):
    values = {"PADDED": "  x ", "LONG": "y" * 70_000, "LINES": "a\r\nb\n", "SIGNS": "# \"'\\ $HOME ,=", "EMPTY": ""}
    child = engine.runs(
        'for name in PADDED LONG LINES SIGNS EMPTY; do eval "printf %s \\"\\$$name\\"" > /lykeion/staging/out/$name; done', env=values
    )
    (result,) = child.results.values()
    for name, value in values.items():
        assert (engine.home / "outputs" / result.key / "out" / name).read_bytes().decode() == value


def test_what_it_says_of_its_result_is_kept(engine):
    said = json.dumps({"metrics": {"rows": 3}, "result": {"kind": "small"}})
    child = engine.runs(f"echo '{said}' > /lykeion/staging/result.json")
    (result,) = child.results.values()
    assert (result.metrics, result.result) == ({"rows": 3}, {"kind": "small"})


def test_a_step_without_outputs_leaves_what_it_says(engine):
    child = engine.runs("""echo '{"metrics": {"rows": 4}}' > /lykeion/staging/result.json""", outputs=())
    assert child.results["step"].metrics == {"rows": 4}
    assert engine.runs("true", outputs=(), name="silent").results["silent"].metrics == {}


def test_progress_is_seen_while_it_runs(engine):
    told = json.dumps({"done": 2, "total": 5, "unit": "rows"})
    task = engine.started(f"echo '{told}' > /lykeion/staging/progress.json; echo begun; sleep 100", "begun")
    engine.until(lambda: engine.children()[task.name].done == 2, "progress")
    assert (engine.children()[task.name].total, engine.children()[task.name].unit) == (5, "rows")
    engine.tasks.cancel(task.name)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")


def test_its_own_error_is_told(engine):
    child = engine.fails("""echo '{"type": "NoRows", "message": "the table is empty"}' > /lykeion/staging/error.json; exit 3""")
    assert child.message == "NoRows: the table is empty"


def test_an_exit_code_is_told_where_it_says_nothing(engine):
    child = engine.fails("echo half > /lykeion/staging/out/f; echo over there >&2; exit 3")
    assert child.message == "Ended: sh ended with exit code 3; its log may say why"
    assert "over there" in child.log_tail
    assert not list((engine.home / "outputs").glob("*"))


def test_the_image_says_what_runs_where_the_step_does_not(engine, store):
    layers = layer_of(store, busybox())
    made = put(
        store,
        "own",
        layers,
        entrypoint=("sh", "-c"),
        command=("id -u > /lykeion/staging/out/f; pwd >> /lykeion/staging/out/f",),
        folder="/bin",
        user="1234",
    )
    child = engine.run(engine.task(image=f"own@{made.digest}"))
    assert engine.made(child, "f") == "1234\n/bin\n"


def test_secrets_are_in_its_environment_and_on_no_command_line(engine, monkeypatch):
    monkeypatch.setattr(engine.tasks, "_secrets", lambda name, key: "hush-hush")
    task = engine.started("echo begun ${#TOKEN} $TOKEN; sleep 100", "begun 9 ***", secrets={"TOKEN": "site.token"})
    assert not [one for one in psutil.process_iter(["cmdline"]) if any("hush-hush" in word for word in one.info["cmdline"] or ())]
    engine.tasks.cancel(task.name)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")
