"""A pipeline is checked against what its components say of themselves: types, inputs, outputs, parameters, ranges; with file and line."""

from typing import Annotated, Literal

import pytest

from lykeion.components.base import Input, Output, Range, component, describe
from lykeion.core.pipelines.check import check, check_alone
from lykeion.core.pipelines.parameters import given_parameters
from lykeion.core.pipelines.template import Values, fill_spec
from lykeion.core.resources.parse import all_problems, parse_with_lines, read
from lykeion.errors import Invalid, Problem
from lykeion.testing.builders import pipeline
from lykeion.testing.effort import calls


class Items: ...


class Pictures: ...


@component
def listings(items: Output[Items], *, uri: str) -> None: ...


@component(partitions=64)
def collect(items: Input[Items], pictures: Output[Pictures], *, size: Annotated[int, Range(1, 256)] = 32) -> None: ...


@component
def report(
    pictures: Input[Pictures],
    page: Output,
    old: Input | None = None,
    *,
    style: Literal["plain", "rich"] = "plain",
    share: Annotated[float, Range(minimum=0.0)] = 0.5,
    fast: bool = False,
    words: list[str] = [],  # noqa: B006
) -> None: ...


SIGNATURES = {f"m:{name}": describe(made, f"m:{name}") for name, made in (("listings", listings), ("collect", collect), ("report", report))}

GOOD = """\
apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  parameters:
    listings: {type: uri}
    count: {type: integer, default: 4}
    word: {type: string, default: plain}
    flag: {type: boolean, default: true}
  steps:
    - {name: items, component: "m:listings", with: {uri: "${parameters.listings}"}}
    - {name: pictures, component: "m:collect", inputs: {items: items.items}, parallelism: 4}
    - {name: report, component: "m:report", inputs: {pictures: pictures.pictures}}
  publish:
    - {output: report.page, model: page}
"""


def problems(text: str) -> list[Problem]:
    (parsed,) = parse_with_lines(text, "f.yaml")
    return check(parsed.resource.spec, SIGNATURES, "f.yaml", parsed.lines)


def changed(old: str, new: str) -> list[Problem]:
    assert old in GOOD
    return problems(GOOD.replace(old, new))


def test_a_good_pipeline_has_no_problems():
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "says"),
    [
        (
            "{pictures: pictures.pictures}",
            "{pictures: items.items}",
            13,
            "spec.steps[2].inputs.pictures",
            "the input takes Pictures, but items.items is Items (Pictures is what pictures.pictures gives)",
        ),
        (
            "{pictures: pictures.pictures}",
            "{pictures: {model: m, alias: stable, otherwise: items.items}}",
            13,
            "spec.steps[2].inputs.pictures.otherwise",
            "the input takes Pictures, but items.items is Items",
        ),
        (
            "{pictures: pictures.pictures}",
            "{pictures: pictures.picture}",
            13,
            "spec.steps[2].inputs.pictures",
            "step 'pictures' has no output 'picture' (did you mean 'pictures'?)",
        ),
        (
            "{pictures: pictures.pictures}",
            "{picture: pictures.pictures, pictures: pictures.pictures}",
            13,
            "spec.steps[2].inputs.picture",
            "m:report has no input 'picture' (did you mean 'pictures'?)",
        ),
        (
            ", inputs: {pictures: pictures.pictures}",
            "",
            13,
            "spec.steps[2].inputs",
            "the input 'pictures' (Pictures) of m:report is missing (write inputs: {pictures: STEP.OUTPUT})",
        ),
        (
            ', with: {uri: "${parameters.listings}"}',
            "",
            11,
            "spec.steps[0].with",
            "the parameter 'uri' of m:listings must be given, text (write with: {uri: …})",
        ),
        (
            "with: {uri:",
            "with: {url: x, uri:",
            11,
            "spec.steps[0].with.url",
            "m:listings has no parameter 'url' (did you mean 'uri'?)",
        ),
        ('uri: "${parameters.listings}"', "uri: 5", 11, "spec.steps[0].with.uri", "must be text, not the number 5"),
        (
            'uri: "${parameters.listings}"',
            'uri: "${parameters.count}"',
            11,
            "spec.steps[0].with.uri",
            "must be text, but ${parameters.count} is a whole number",
        ),
        (
            "parallelism: 4",
            "parallelism: 4, with: {size: 0}",
            12,
            "spec.steps[1].with.size",
            "must be at least 1, not 0 (from 1 to 256)",
        ),
        (
            "parallelism: 4",
            "parallelism: 4, with: {size: 257}",
            12,
            "spec.steps[1].with.size",
            "must be at most 256, not 257 (from 1 to 256)",
        ),
        ("parallelism: 4", "with: {size: 1.5}", 12, "spec.steps[1].with.size", "must be a whole number, not the number 1.5"),
        ("parallelism: 4", "with: {size: '3'}", 12, "spec.steps[1].with.size", "must be a whole number, not the text '3'"),
        ("parallelism: 4", "with: {size: true}", 12, "spec.steps[1].with.size", "must be a whole number, not true"),
        ("parallelism: 4", "with: {size: }", 12, "spec.steps[1].with.size", "must be a whole number, not nothing"),
        (
            "parallelism: 4",
            "with: {size: 'x${parameters.count}'}",
            12,
            "spec.steps[1].with.size",
            "must be a whole number, but x${parameters.count} is text",
        ),
        (
            "parallelism: 4",
            "with: {size: '${parameters.flag}'}",
            12,
            "spec.steps[1].with.size",
            "must be a whole number, but ${parameters.flag} is true or false (declare the parameter as integer)",
        ),
        (
            "parallelism: 4",
            "with: {items: 3}",
            12,
            "spec.steps[1].with.items",
            "m:collect has no parameter 'items' (it is an input: write it under `inputs`)",
        ),
        (
            "pictures.pictures}}",
            "pictures.pictures}, parallelism: 2}",
            13,
            "spec.steps[2].parallelism",
            "m:report has no partitions that 2 workers could share",
        ),
        (
            "pictures.pictures}}",
            "pictures.pictures}, with: {style: rch}}",
            13,
            "spec.steps[2].with.style",
            "must be one of 'plain', 'rich', not the text 'rch' (did you mean 'rich'?)",
        ),
        (
            "pictures.pictures}}",
            "pictures.pictures}, with: {share: -1}}",
            13,
            "spec.steps[2].with.share",
            "must be at least 0, not -1",
        ),
        (
            "pictures.pictures}}",
            "pictures.pictures}, with: {fast: 'yes'}}",
            13,
            "spec.steps[2].with.fast",
            "must be true or false, not the text 'yes'",
        ),
        (
            "pictures.pictures}}",
            "pictures.pictures}, with: {words: a}}",
            13,
            "spec.steps[2].with.words",
            "must be a list, not the text 'a'",
        ),
        ("report.page", "report.pag", 15, "spec.publish[0].output", "step 'report' has no output 'pag' (did you mean 'page'?)"),
    ],
)
def test_a_mistake_names_its_line_and_the_way_out(old, new, line, field, says):
    found = changed(old, new)
    assert len(found) == 1, list(map(str, found))
    assert (found[0].file, found[0].line, found[0].field) == ("f.yaml", line, field)
    assert says in str(found[0])


def test_values_that_fit_are_let_through():
    for new in (
        "with: {size: 1}",
        "with: {size: 256}",
        "with: {size: '${parameters.count}'}",
    ):
        assert changed("parallelism: 4", new) == []
    for new in (
        "share: 3",
        "share: 0.0",
        "style: rich",
        "fast: true",
        "words: [a, b]",
        "share: '${parameters.count}'",
        "fast: '${parameters.flag}'",
    ):
        assert changed("pictures.pictures}}", f"pictures.pictures}}, with: {{{new}}}}}") == []
    assert changed("{pictures: pictures.pictures}", "{pictures: 'models:m@stable', old: items.items}") == []


def test_all_problems_of_a_pipeline_come_at_once():
    text = GOOD.replace("uri:", "url:").replace("parallelism: 4", "with: {size: 0, sise: 3}").replace("report.page", "report.pages")
    assert [(problem.line, problem.field) for problem in problems(text)] == [
        (11, "spec.steps[0].with.url"),
        (11, "spec.steps[0].with"),
        (12, "spec.steps[1].with.size"),
        (12, "spec.steps[1].with.sise"),
        (15, "spec.publish[0].output"),
    ]


def test_when_values_are_known_ranges_are_checked():
    (parsed,) = parse_with_lines(GOOD.replace("parallelism: 4", "with: {size: '${parameters.count}'}"), "f.yaml")
    spec = parsed.resource.spec
    assert check(spec, SIGNATURES) == []
    filled = fill_spec(spec, Values(given_parameters(spec, {"listings": "x", "count": "500"})))
    (problem,) = check(filled, SIGNATURES, "f.yaml", parsed.lines, filled=True)
    assert str(problem) == "f.yaml:12: spec.steps[1].with.size: must be at most 256, not 500 (from 1 to 256)"


def test_in_a_filled_pipeline_signs_of_references_are_text():
    (parsed,) = parse_with_lines(GOOD, "f.yaml")
    spec = parsed.resource.spec
    filled = fill_spec(spec, Values(given_parameters(spec, {"listings": "${odd} $name"})))
    assert check(filled, SIGNATURES, filled=True) == []


def test_a_component_that_is_not_known_is_passed_over():
    (parsed,) = parse_with_lines(GOOD, "f.yaml")
    assert check(parsed.resource.spec, {}) == []
    assert check(parsed.resource.spec, {"m:report": SIGNATURES["m:report"]}) == []


def test_an_image_s_outputs_are_those_that_it_lists():
    text = GOOD.replace('component: "m:collect"', "image: x, outputs: [pictures]").replace(", parallelism: 4", "")
    assert problems(text) == []
    (problem,) = problems(text.replace("outputs: [pictures]", "outputs: [pics]"))
    assert problem.message == "step 'pictures' has no output 'pictures'"


def test_a_pipeline_built_in_python_is_checked_without_lines():
    (parsed,) = parse_with_lines(GOOD, "f.yaml")
    broken = parsed.resource.spec.model_copy(update={"publish": (), "steps": parsed.resource.spec.steps[1:]})
    assert [str(problem) for problem in check(broken, SIGNATURES)] == [
        "spec.steps[0].inputs.items: there is no step 'items' (the steps are: pictures, report)"
    ]
    assert check_alone(parsed.resource.spec) == []


def test_5000_steps_are_read_and_checked_with_no_more_work_for_each_than_500():
    def large(steps: int) -> str:
        text = "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  steps:\n"
        text += "    - {name: s0, component: 'm:listings', with: {uri: x}}\n"
        return text + "".join(
            f"    - {{name: s{i}, component: 'm:collect', inputs: {{items: s0.items}}, with: {{size: 3}}}}\n" for i in range(1, steps)
        )

    assert problems(large(5000)) == []
    assert calls(lambda: problems(large(5000))) < 11 * calls(lambda: problems(large(500)))


def test_mistakes_in_fields_do_not_hide_those_that_only_components_show():
    text = GOOD.replace("parallelism: 4", "paralelism: 4, with: {size: 0}").replace(
        "{pictures: pictures.pictures}", "{pictures: items.items}"
    )
    found = all_problems(read(text.replace("report.page, model: page", "report.pag, model: Page"), "f.yaml"), SIGNATURES)
    assert [(problem.line, problem.field) for problem in found] == [
        (12, "spec.steps[1].paralelism"),
        (12, "spec.steps[1].with.size"),
        (13, "spec.steps[2].inputs.pictures"),
        (15, "spec.publish[0].model"),
        (15, "spec.publish[0].output"),
    ]


def test_what_was_repaired_causes_no_problems_of_its_own():
    """The input is there, though it says nothing that can be read: it is not missing."""
    text = GOOD.replace("{pictures: pictures.pictures}", "{pictures: 5}").replace('{uri: "${parameters.listings}"}', "[uri]")
    found = all_problems(read(text, "f.yaml"), SIGNATURES)
    assert [problem.field for problem in found] == ["spec.steps[0].with", "spec.steps[2].inputs.pictures"]


def test_a_published_output_that_an_image_does_not_make_is_said_once():
    text = GOOD.replace('component: "m:report"', "image: x, outputs: [pag]")
    with pytest.raises(Invalid) as raised:
        parse_with_lines(text, "f.yaml")
    assert [str(problem) for problem in raised.value.problems] == [
        "f.yaml:15: spec.publish[0].output: step 'report' has no output 'page' (did you mean 'pag'?)"
    ]
    assert len(all_problems(read(text, "f.yaml"), SIGNATURES)) == 1


@pytest.mark.parametrize(
    ("model", "serving", "wrong"),
    [("shop", "shop", False), ("shop", "other", True), ("${parameters.f}", "${parameters.f}", False), ("${parameters.f}", "shop", False)],
)
def test_a_serving_answers_for_the_model_of_its_own_name(model, serving, wrong):
    publish = [{"output": "a.out", "model": model, "deploy": {"serving": serving}}]
    spec = pipeline({"name": "a"}, parameters={"f": {"default": "shop"}}, publish=publish).spec
    found = [problem for problem in check_alone(spec) if problem.field.endswith("deploy.serving")]
    assert bool(found) == wrong
