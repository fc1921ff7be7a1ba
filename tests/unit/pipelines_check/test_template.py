"""`${…}` is replaced by values that keep their types; what stands for nothing is a problem; secrets stay where they are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.pipelines.template import Values, fill, fill_spec, problems, split_env
from lykeion.core.resources import Deploy, ModelInput, Parameter, PipelineSpec, Publish, Step
from lykeion.errors import Invalid

VALUES = Values({"x": 4, "name": "photos", "share": 0.5, "on": True}, ("2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+00:00"))
DECLARED = {name: Parameter(type="string") for name in VALUES.parameters}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${parameters.x}", 4),
        ("${parameters.on}", True),
        ("${ parameters.share }", 0.5),
        ("${parameters.name}", "photos"),
        ("${parameters.name}-space", "photos-space"),
        ("${parameters.x}${parameters.x}", "44"),
        ("a ${parameters.on}", "a true"),
        ("${window.start}", "2026-01-01T00:00:00+00:00"),
        ("to ${window.end}", "to 2026-01-01T01:00:00+00:00"),
        ("$${parameters.x}", "${parameters.x}"),
        ("cost: $5", "cost: $5"),
        ("$$", "$$"),
        ("", ""),
        (5, 5),
        (None, None),
        ([1, "${parameters.x}", {"a": ["${parameters.name}"]}], [1, 4, {"a": ["photos"]}]),
        ({"${parameters.x}": 1}, {"${parameters.x}": 1}),
    ],
)
def test_references_are_replaced(text, value):
    filled = fill(text, VALUES)
    assert filled == value
    assert type(filled) is type(value)


@given(st.text(st.characters(exclude_characters="$")))
def test_text_without_references_stays(text):
    assert fill(text, VALUES) == text


@given(st.text(), st.text())
def test_a_value_is_never_filled_again(before, value):
    """What a parameter says is data: a reference in it is text."""
    plain = before.replace("$", "")
    assert fill(plain + "|${parameters.v}", Values({"v": value})) == f"{plain}|{value}"


@given(st.text())
def test_doubled_signs_make_any_text_plain(text):
    escaped = text.replace("$", "").replace("{", "") + "$${" + "x}"
    assert fill(escaped, VALUES) == escaped.replace("$${", "${")


def spec_with(*steps: Step, publish: tuple[Publish, ...] = ()) -> PipelineSpec:
    return PipelineSpec(parameters=DECLARED, steps=steps or (Step(name="a", component="m:f"),), publish=publish)


def test_a_pipeline_is_filled_wherever_references_may_stand():
    spec = spec_with(
        Step(
            name="a",
            component="m:f",
            with_={"size": "${parameters.x}", "deep": {"list": ["${parameters.name}"]}},
            env={"A": "${parameters.x}", "B": "${secrets.db.password}", "C": "$${x}"},
            inputs={
                "m": ModelInput(model="${parameters.name}-space", alias="stable", otherwise="b.out"),
                "n": "models:${parameters.name}@stable",
                "o": "b.out",
            },
        ),
        Step(name="b", image="repo/${parameters.name}:1", command=("run", "${window.start}"), outputs=("out",)),
        publish=(
            Publish(
                output="b.out",
                model="${parameters.name}",
                requires="metrics.x >= ${parameters.share}",
                deploy=Deploy(serving="${parameters.name}", track="stable"),
            ),
        ),
    )
    filled = fill_spec(spec, VALUES)
    first, second = filled.steps
    assert first.with_ == {"size": 4, "deep": {"list": ["photos"]}}
    assert first.env == {"A": "4", "B": "${secrets.db.password}", "C": "${x}"}
    assert first.inputs["m"] == ModelInput(model="photos-space", alias="stable", otherwise="b.out")
    assert (first.inputs["n"], first.inputs["o"]) == ("models:photos@stable", "b.out")
    assert (second.image, second.command) == ("repo/photos:1", ("run", "2026-01-01T00:00:00+00:00"))
    (publish,) = filled.publish
    assert (publish.model, publish.requires, publish.deploy.serving) == ("photos", "metrics.x >= 0.5", "photos")


def test_env_is_split_into_values_and_secrets():
    assert split_env({"A": "1", "B": "${secrets.db.password}", "C": "x${secrets.a.b}"}) == (
        {"A": "1", "C": "x${secrets.a.b}"},
        {"B": "db.password"},
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${parameters.nam}", "the pipeline has no parameter 'nam'"),
        ("a ${parameters.nope} b ${parameters.nope2}", "the pipeline has no parameter 'nope'"),
        ("${parameter.x}", "${parameter.x} stands for nothing"),
        ("${x}", "${x} stands for nothing"),
        ("${}", "${} stands for nothing"),
        ("${parameters.x", "'${' is not closed"),
        ("${window.middle}", "stands for nothing"),
        ("${secrets.a.b}", "a secret may stand only in `env`"),
    ],
)
def test_what_stands_for_nothing_is_a_problem(text, says):
    found = problems(spec_with(Step(name="a", component="m:f", with_={"v": ["", {"w": text}]})), DECLARED)
    assert says in found[0].message
    assert found[0].field == "spec.steps[0].with.v[1].w"
    assert len(found) == text.count("${")


def test_did_you_mean_a_parameter():
    (problem,) = problems(spec_with(Step(name="a", component="m:f", with_={"v": "${parameters.nam}"})), DECLARED)
    assert problem.remedy == "did you mean 'name'?"


def test_a_window_must_be_there_where_it_is_used():
    spec = spec_with(Step(name="a", component="m:f", with_={"v": "${window.start}"}))
    assert problems(spec, DECLARED) == []
    with pytest.raises(Invalid, match="this run has no window"):
        fill_spec(spec, Values(VALUES.parameters))


@pytest.mark.parametrize("value", ["Photos", "a b", "", "../x", "x" * 70, "a@b", "journal"])
def test_a_parameter_cannot_make_a_name_that_no_model_can_have(value):
    spec = spec_with(publish=(Publish(output="a.x", model="${parameters.name}"),))
    with pytest.raises(Invalid) as raised:
        fill_spec(spec, Values({**VALUES.parameters, "name": value}))
    assert raised.value.problems[0].field == "spec.publish[0].model"


@pytest.mark.parametrize("text", ["${parameters.name}", "${parameters.name}.b}", "$${secrets.a.b}"])
def test_a_parameter_can_never_name_a_secret(text):
    """Whoever may start a run may not read the install's secrets by it."""
    spec = spec_with(Step(name="a", component="m:f", env={"A": text}))
    given_values = Values({**VALUES.parameters, "name": "${secrets.a" if text.endswith(".b}") else "${secrets.a.b}"})
    with pytest.raises(Invalid, match="a secret can only be named here"):
        fill_spec(spec, given_values)


def test_a_parameter_that_breaks_requires_is_refused():
    spec = spec_with(publish=(Publish(output="a.x", model="m", requires="metrics.x > ${parameters.name}"),))
    with pytest.raises(Invalid, match="cannot be read: column 13"):
        fill_spec(spec, VALUES)


def test_all_problems_of_a_pipeline_come_at_once():
    spec = spec_with(
        Step(name="a", component="m:f", with_={"v": "${parameters.p}", "w": "${q.r}"}, env={"A": "${secrets.x}", "B": "x${secrets.x.y}"}),
        publish=(Publish(output="a.x", model="${parameters.q}", deploy=Deploy(serving="${nope}")),),
    )
    with pytest.raises(Invalid) as raised:
        fill_spec(spec, VALUES)
    assert [problem.field for problem in raised.value.problems] == [
        "spec.steps[0].with.v",
        "spec.steps[0].with.w",
        "spec.steps[0].env.A",
        "spec.steps[0].env.B",
        "spec.publish[0].model",
        "spec.publish[0].deploy.serving",
    ]
