"""What a run is planned from: whatever is wrong is told at once, where it stands."""

from pathlib import Path

import pytest

from lykeion.components.catalogue import Catalogue
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.parse import parse, read
from lykeion.daemons.planning import faults, plan
from lykeion.errors import Invalid, Unavailable
from lykeion.testing.containers import KnownImages

HERE = KnownImages()
DIGEST = f"sha256:{'1' * 64}"
HEAD = "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n"
CODE = """from typing import Annotated

from lykeion import Input, Output, Range, component


@component
def make(out: Output, *, size: Annotated[int, Range(1, 10)] = 3) -> None: ...


@component
def take(given: Input, out: Output) -> None: ...
"""


@pytest.fixture
def components(tmp_path) -> Catalogue:
    return Catalogue(tmp_path / "cache")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "work.py").write_text(CODE)

    def written(spec: str) -> Path:
        path = tmp_path / "p.yaml"
        path.write_text(HEAD + spec)
        return path

    return written


def loaded(path: Path):
    (pipeline,) = parse(path.read_text(), str(path))
    return pipeline.model_copy(update={"metadata": pipeline.metadata.model_copy(update={"annotations": {SOURCE_FILE: str(path)}})})


def told(path: Path, components, parameters=None, only=()) -> list[str]:
    with pytest.raises(Invalid) as error:
        plan(loaded(path), parameters or {}, None, components, only, containers=HERE)
    return [str(problem).replace(f"{path.parent}/", "") for problem in error.value.problems]


def test_parameters_are_filled_in_and_components_described(file, components):
    path = file(
        '  parameters: {size: {type: integer}}\n  steps:\n    - {name: a, component: "./work.py:make", with: {size: "${parameters.size}"}}\n'
    )
    planned = plan(loaded(path), {"size": "4"}, None, components, containers=HERE)
    assert planned.pipeline.steps[0].with_ == {"size": 4}
    assert planned.folder == str(path.parent)
    assert planned.signatures["./work.py:make"].identity


def test_one_bad_component_does_not_hide_what_is_wrong_with_the_others(file, components):
    path = file(
        '  steps:\n    - {name: a, component: "./wrok.py:make"}\n    - {name: b, component: "./work.py:take", inputs: {gven: a.out}}\n'
        '    - {name: c, component: "./work.py:mak"}\n    - {name: d, component: "./work.py:make", with: {size: 99}}\n'
    )
    found = told(path, components)
    assert sorted(one.split(": ")[0] for one in found if one.startswith("p.yaml:")) == ["p.yaml:6", "p.yaml:7", "p.yaml:7", "p.yaml:9"]
    assert any("mak" in one and "work.py" in one for one in found)


def test_a_value_out_of_range_is_told_with_its_line_though_a_parameter_gave_it(file, components):
    path = file(
        '  parameters: {size: {type: integer}}\n  steps:\n    - {name: a, component: "./work.py:make", with: {size: "${parameters.size}"}}\n'
    )
    (found,) = told(path, components, {"size": 50})
    assert found.startswith("p.yaml:7: spec.steps[0].with.size: must be at most 10, not 50")


def test_bad_parameters_do_not_hide_bad_components_nor_unknown_steps(file, components):
    path = file('  parameters: {size: {type: integer}}\n  steps:\n    - {name: a, component: "./wrk.py:make"}\n')
    found = told(path, components, {"syze": 1}, ("b",))
    assert len(found) == 4
    for part in ("parameters.syze", "parameters.size", "spec.steps[0]: the pipeline has no step 'b'", "p.yaml:7: spec.steps[0].component"):
        assert any(part in one for one in found), found


IMAGES = """  steps:
    - {name: a, image: x:1, outputs: [out]}
    - {name: b, image: x:1, inputs: {given: a.out}, command: [run]}
"""


def test_images_are_pinned_when_a_run_is_planned(file, components):
    planned = plan(loaded(file(IMAGES)), {}, None, components, containers=KnownImages({"x:1": DIGEST}))
    assert [step.image for step in planned.pipeline.steps] == [f"x:1@{DIGEST}"] * 2


def test_images_that_there_are_not_are_told_each_where_it_stands(file, components):
    path = file("  steps:\n    - {name: a, image: x:1, outputs: [out]}\n    - {name: b, image: y:1}\n")
    assert told(path, components) == [
        "p.yaml:6: spec.steps[0].image: there is no image 'x:1' here",
        "p.yaml:7: spec.steps[1].image: there is no image 'y:1' here",
    ]


def test_an_image_of_a_step_that_is_not_needed_is_not_asked_for(file, components):
    path = file("  steps:\n    - {name: a, image: x:1, outputs: [out]}\n    - {name: b, image: y:1}\n")
    planned = plan(loaded(path), {}, None, components, ["a"], containers=KnownImages({"x:1": DIGEST}))
    assert [step.image for step in planned.pipeline.steps] == [f"x:1@{DIGEST}", "y:1"]


def test_where_nothing_runs_images_that_is_the_reason(file, components):
    nothing = KnownImages({"x:1": Unavailable("images cannot be run on this machine: bwrap is not installed")})
    with pytest.raises(Unavailable, match="cannot be run on this machine"):
        plan(loaded(file(IMAGES)), {}, None, components, containers=nothing)


def test_workers_cannot_share_the_work_of_an_image(file, components):
    path = file("  steps:\n    - {name: a, image: x:1, outputs: [out], parallelism: 2}\n")
    assert "has one worker" in told(path, components)[0]


def test_requirements_that_are_not_there_are_told_beside_the_rest(file, components):
    path = file('  environment: {requirements: lock.txt}\n  steps:\n    - {name: a, component: "./wrk.py:make"}\n')
    found = told(path, components)
    assert any("spec.environment.requirements: no such file" in one for one in found)
    assert any("wrk.py" in one for one in found)


def test_a_file_that_is_gone_or_changed_costs_only_the_lines(file, components):
    path = file('  steps:\n    - {name: a, component: "./work.py:make", with: {size: 99}}\n')
    pipeline = loaded(path)
    for change in (lambda: path.write_text("other"), lambda: path.write_bytes(b"\xff"), path.unlink):
        change()
        with pytest.raises(Invalid, match=r"spec\.steps\[0\]\.with\.size: must be at most 10"):
            plan(pipeline, {}, None, components, containers=HERE)


def test_nothing_is_told_twice(file, components):
    path = file('  steps:\n    - {name: a, component: "./wrk.py:make"}\n    - {name: b, component: "./wrk.py:make"}\n')
    found = told(path, components)
    assert len(found) == len(set(found))


def faulty(path: Path, components, parameters=None) -> list[str]:
    reading = read(path.read_text(), path.name)
    return [str(problem) for problem in faults(reading, reading.resources[0], str(path.parent), parameters or {}, components)]


def test_the_mistakes_of_a_file_come_with_those_of_its_components_and_parameters(file, components):
    path = file(
        '  parameters: {n: {type: intger}}\n  stepz: []\n  steps:\n    - {name: a, component: "./work.py:make", with: {size: 99}}\n'
        '    - {name: b, component: "./wrk.py:take"}\n'
    )
    found = faulty(path, components, {"m": "1"})
    for part in (
        "p.yaml:5: spec.parameters.n.type",
        "p.yaml:6: spec.stepz",
        "p.yaml:8: spec.steps[0].with.size",
        "p.yaml:9: spec.steps[1].component",
        "parameters.m",
    ):
        assert any(one.startswith(part) for one in found), found


def test_what_was_mended_to_read_on_is_not_complained_about(file, components):
    path = file('  parameters: {n: {type: intger}}\n  steps:\n    - {name: a, component: "./work.py:make"}\n')
    assert [one.split(": ")[1] for one in faulty(path, components, {"n": "3.5"})] == ["spec.parameters.n.type"]


def test_what_cannot_be_read_is_a_problem_like_others(file):
    class Unreadable:
        def describe_all(self, folder, components, lock=None):
            raise PermissionError(13, "Permission denied", f"{folder}/work.py")

    (found,) = told(file('  steps:\n    - {name: a, component: "./work.py:make"}\n'), Unreadable())
    assert found == "work.py: cannot be read: Permission denied"
