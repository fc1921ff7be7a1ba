"""A file becomes resources, or all of its problems: each with file, line, field, value and the way out, in words of the file's author."""

from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.resources import KINDS, Pipeline, Serving, Training
from lykeion.core.resources.parse import MOST_SHOWN, lines_of, parse, parse_with_lines, read
from lykeion.core.resources.write import to_yaml_text
from lykeion.errors import Invalid, Problem
from lykeion.testing.effort import calls

HEAD = "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n"
STEP = "  steps:\n    - {name: a, component: 'm:f'}\n"

PIPELINE = """\
apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: photo-search}
spec:
  environment: {requirements: requirements.lock}
  parameters:
    listings: {type: uri}
    family: {type: string, default: photos}
  steps:
    - {name: items,    component: "lykeion.components.sources:listings", with: {uri: "${parameters.listings}"}}
    - {name: pictures, component: "lykeion.components.pictures:collect", inputs: {items: items.items}, parallelism: 4}
    - {name: features, component: "lykeion.components.features:extract", inputs: {pictures: pictures.pictures}, parallelism: 2}
    - {name: space,    component: "lykeion.components.features:fit_space", inputs: {features: features.features}}
    - name: index
      component: lykeion.components.index:build
      inputs:
        features: features.features
        items: items.items
        space: {model: "${parameters.family}-space", alias: stable, otherwise: space.space}
    - {name: report,   component: "./report.py:report", inputs: {index: index.index, old: "models:photos@stable", first: "models:photos@1"}}
  publish:
    - {output: space.space, model: "${parameters.family}-space"}
    - output: index.index
      model: ${parameters.family}
      requires: "metrics.recall_at_10 >= 0.95"
      deploy: {serving: "${parameters.family}", track: stable}
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(Invalid) as raised:
        parse(text, "f.yaml")
    return list(raised.value.problems)


def in_steps(*lines: str) -> list[Problem]:
    """The problems of a pipeline whose steps are `lines`; the first of them is line 6."""
    return problems(HEAD + "  steps:\n" + "".join(f"    {line}\n" for line in lines))


def test_the_design_s_own_pipeline_is_read():
    (pipeline,) = parse(PIPELINE, "pipeline.yaml")
    assert isinstance(pipeline, Pipeline)
    assert [step.name for step in pipeline.spec.steps] == ["items", "pictures", "features", "space", "index", "report"]
    assert pipeline.spec.steps[0].with_ == {"uri": "${parameters.listings}"}
    assert dict(pipeline.spec.steps[5].sources())["first"].version == 1


def test_every_kind_is_read_from_one_file():
    text = f"""\
{PIPELINE}---
apiVersion: lykeion.dev/v1alpha1
kind: Training
metadata: {{name: t}}
spec:
  pipelineRef: {{name: photo-search}}
  parameters: {{listings: ./x.csv}}
  window: {{start: "2026-01-01T00:00:00Z", end: 2026-01-01T01:00:00+00:00}}
---
apiVersion: lykeion.dev/v1alpha1
kind: Serving
metadata: {{name: photos}}
spec: {{search: {{family: photos}}, workers: 2}}
"""
    kinds = parse(text, "all.yaml")
    assert [type(one) for one in kinds] == [Pipeline, Training, Serving]
    assert kinds[1].spec.window.start.utcoffset().total_seconds() == 0


def test_all_problems_come_at_once_in_the_order_of_the_file():
    text = dedent("""\
        apiVersion: lykeion.dev/v1
        kind: Pipeline
        metadata: {name: Photo_Search, labels: {a: 1}}
        spec:
          parameters:
            size: {type: integer, default: "4"}
          steps:
            - {name: items, componet: "a:b", with: {uri: "${parameters.sise}"}}
            - {name: items, component: "a:b", image: x, inputs: {i: itms.items}}
            - 5
            - name: index
              component: a:b
              parallelism: "4"
              cache: sometimes
              inputs: {a: 5, c: {modl: x, alias: s}, e: loop.x}
              env: {A: 1}
            - {name: loop, component: "a:b", inputs: {x: index.x}}
            - {component: "a:b", retry: {limit: 2.5}}
          publish:
            - {output: space.space, model: x, requires: "metrics.x = 3"}
        """)
    found = [(problem.line, problem.field) for problem in problems(text)]
    assert found == [
        (1, "apiVersion"),
        (3, "metadata.name"),
        (3, "metadata.labels.a"),
        (6, "spec.parameters.size.default"),
        (8, "spec.steps[0].componet"),
        (8, "spec.steps[0].with.uri"),
        (9, "spec.steps[1]"),
        (9, "spec.steps[1].name"),
        (9, "spec.steps[1].inputs.i"),
        (10, "spec.steps[2]"),
        (13, "spec.steps[3].parallelism"),
        (14, "spec.steps[3].cache"),
        (15, "spec.steps[3].inputs.a"),
        (15, "spec.steps[3].inputs.c.modl"),
        (15, "spec.steps[3].inputs.e"),
        (16, "spec.steps[3].env.A"),
        (18, "spec.steps[5].name"),
        (18, "spec.steps[5].retry.limit"),
        (20, "spec.publish[0].output"),
        (20, "spec.publish[0].requires"),
    ]


@pytest.mark.parametrize(
    ("line", "field", "message", "remedy"),
    [
        ("- {name: a, componet: 'm:f'}", "componet", "there is no such field", "did you mean 'component'?"),
        ("- {name: a, component: 'm:f', wiht: {}}", "wiht", "there is no such field", "did you mean 'with'?"),
        ("- {name: a, component: 'm:f', with_: {}}", "with_", "there is no such field", "did you mean 'with'?"),
        ("- {name: a, component: 'm:f', retry: {back_off: 1s}}", "retry.back_off", "there is no such field", "did you mean 'backoff'?"),
        ("- {name: a, component: 'm:f', zzz: 1}", "zzz", "there is no such field", "the fields here are: cache, command"),
        ("- {name: A b, component: 'm:f'}", "name", "'A b' is no name", "use lower-case letters"),
        ("- {component: 'm:f'}", "name", "is missing", "add `name:`"),
        ("- {name: a}", "", "a step has either a component or an image", ""),
        (
            "- {name: a, component: 'm:f', command: [x]}",
            "",
            "command, outputs and network belong to a step with an image; a component says its own",
            "",
        ),
        ("- {name: a, component: 'm:f', parallelism: 0}", "parallelism", "must be at least 1, not the number 0", ""),
        ("- {name: a, component: 'm:f', parallelism: 2000}", "parallelism", "must be at most 1024, not the number 2000", ""),
        ("- {name: a, component: 'm:f', parallelism: true}", "parallelism", "must be a whole number, not true", ""),
        (
            "- {name: a, component: 'm:f', parallelism: '2'}",
            "parallelism",
            "must be a whole number, not the text '2'",
            "write 2 without quotes",
        ),
        ("- {name: a, component: 'm:f', parallelism: }", "parallelism", "must be a whole number, not nothing", "write a value"),
        ("- {name: a, component: 'm:f', resources: {cpu: 0}}", "resources.cpu", "must be more than 0, not the number 0", ""),
        ("- {name: a, component: 'm:f', resources: {memory: 2Q}}", "resources.memory", "'2Q' is no amount of memory", "write 512Mi"),
        ("- {name: a, component: 'm:f', timeout: soon}", "timeout", "'soon' is no duration", "write 30s"),
        ("- {name: a, component: 'm:f', retry: 3}", "retry", "must be a mapping of fields, not the number 3", ""),
        ("- {name: a, component: 'm:f', env: {A: 1}}", "env.A", "must be text, not the number 1", 'put it in quotes: "1"'),
        ("- {name: a, component: 'm:f', env: {A: true}}", "env.A", "must be text, not true", 'put it in quotes: "true"'),
        ("- {name: a, component: 'm:f', env: [A]}", "env", "must be a mapping of names to values, not a list", ""),
        ("- {name: a, image: x, command: run}", "command", "must be a list, not the text 'run'", "write [run]"),
        ("- {name: a, image: x, command: [run, 3]}", "command[1]", "must be text, not the number 3", 'put it in quotes: "3"'),
        ("- {name: a, component: 'm:f', cache: sometimes}", "cache", "'sometimes' is no duration", "'always' or 'never'; or write 30s"),
        ("- {name: a, component: 'm:f', cache: [1]}", "cache", "must be 'always' or 'never' or a number, not a list", ""),
        (
            "- {name: a, component: 'm:f', inputs: {x: b}}",
            "inputs.x",
            "'b' is no input",
            "write STEP.OUTPUT, models:NAME@ALIAS or models:NAME@VERSION",
        ),
        ("- {name: a, component: 'm:f', inputs: {x: 5}}", "inputs.x", "must be text or a mapping of fields, not the number 5", ""),
        ("- {name: a, component: 'm:f', inputs: {x: {model: m}}}", "inputs.x", "say either alias or version", ""),
        ("- {name: a, component: 'm:f', inputs: {x: {alias: s}}}", "inputs.x.model", "is missing", "add `model:`"),
        (
            "- {name: a, component: 'm:f', inputs: {x: {model: m, version: 0}}}",
            "inputs.x.version",
            "must be at least 1, not the number 0",
            "",
        ),
        (
            "- {name: a, component: 'm:f', inputs: {x: {model: m, alais: s}}}",
            "inputs.x.alais",
            "there is no such field",
            "did you mean 'alias'?",
        ),
        ("- {name: a, component: 'm:f', inputs: {x: b.c}}", "inputs.x", "there is no step 'b'", "the steps are: a"),
        (
            "- {name: a, component: 'm:f', inputs: {x: {model: m, alias: s, otherwise: b.c}}}",
            "inputs.x.otherwise",
            "there is no step 'b'",
            "the steps are: a",
        ),
        (
            "- {name: a, component: 'm:f', inputs: {x: a.c}}",
            "inputs.x",
            "step 'a' needs its own output",
            "take the input from another step",
        ),
        ("- {name: a, component: 'm:f', inputs: {x: 'models:Big@stable'}}", "inputs.x", "'Big' is no name", "use lower-case"),
        ("- {name: a, component: 'm:f', inputs: {x: {model: m, alias: ../x}}}", "inputs.x", "'../x' is no name", "use lower-case"),
        ("- {name: a, component: m.f}", "component", "'m.f' is no component", "write package.module:function or ./file.py:function"),
        ("- {name: a, component: 'm:f()'}", "component", "'m:f()' is no component", "write package.module:function"),
        ("- {name: a, component: 'x.py:f'}", "component", "'x.py:f' is no component", "a file is written ./x.py:f"),
        (
            "- {name: a, component: 'm:f', with: {x: '${parameters.y}'}}",
            "with.x",
            "${parameters.y}: the pipeline has no parameter 'y'",
            "its parameters are: nothing",
        ),
        (
            "- {name: a, component: 'm:f', with: {x: '${window.begin}'}}",
            "with.x",
            "${window.begin} stands for nothing",
            "a window has: end, start",
        ),
        (
            "- {name: a, component: 'm:f', with: {x: [1, {y: '${secrets.A.B}'}]}}",
            "with.x[1].y",
            "${secrets.A.B}: a secret may stand only in `env`",
            "move it there",
        ),
        ("- {name: a, component: 'm:f', with: {x: '${parameters.y'}}", "with.x", "'${' is not closed", "write ${parameters.NAME}"),
        (
            "- {name: a, component: 'm:f', env: {X: 'a ${secrets.A.B}'}}",
            "env.X",
            "${secrets.A.B} must be the whole value",
            "put what stands beside it",
        ),
    ],
)
def test_one_mistake_is_one_problem_with_a_way_out(line, field, message, remedy):
    (problem,) = in_steps(line)
    assert problem.field == f"spec.steps[0]{'.' if field and field[0] != '[' else ''}{field}"
    assert problem.message.startswith(message)
    assert problem.remedy.startswith(remedy)
    assert (problem.file, problem.line) == ("f.yaml", 6)


@pytest.mark.parametrize(
    ("text", "line", "field", "says"),
    [
        ("kind: Pipeline\nmetadata: {name: p}\nspec:\n" + STEP, 1, "apiVersion", "is missing (write apiVersion: lykeion.dev/v1alpha1)"),
        (
            "apiVersion: lykeion.dev/v1alpha1\nmetadata: {name: p}\nspec: {}\n",
            1,
            "kind",
            "is missing (the kinds are: Pipeline, Serving, Training)",
        ),
        (HEAD.replace("Pipeline", "pipeline") + STEP, 2, "kind", "there is no kind 'pipeline' (did you mean 'Pipeline'?)"),
        (
            HEAD.replace("Pipeline", "Deployment") + STEP,
            2,
            "kind",
            "there is no kind 'Deployment' (the kinds are: Pipeline, Serving, Training)",
        ),
        (HEAD.replace("Pipeline", "[1]") + STEP, 2, "kind", "there is no kind [1]"),
        ("apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nspec:\n" + STEP, 1, "metadata", "is missing"),
        ("apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\n", 1, "spec", "is missing (add `spec:`)"),
        (HEAD, 4, "spec", "must be a mapping of fields, not nothing"),
        (HEAD + "  steps: []\n", 5, "spec.steps", "must have at least 1 entry, not 0"),
        (HEAD + "  steps: {a: {component: 'm:f'}}\n", 5, "spec.steps", "must be a list, not a mapping"),
        (HEAD + "  step: [{name: a, component: 'm:f'}]\n", 5, "spec.step", "there is no such field (did you mean 'steps'?)"),
        (
            HEAD + STEP + "  parameters: {x: {type: strng}}\n",
            7,
            "spec.parameters.x.type",
            "must be 'string', 'integer', 'number', 'boolean' or 'uri'",
        ),
        (
            HEAD + STEP + "  parameters: {x: {default: [1]}}\n",
            7,
            "spec.parameters.x.default",
            "must be text or a whole number or a number or true or false, not a list",
        ),
        (
            HEAD + STEP + "  parameters: {x: {type: integer, default: 1.5}}\n",
            7,
            "spec.parameters.x.default",
            "must be a whole number like the parameter's type",
        ),
        (HEAD + STEP + "  parameters: {x y: {}}\n", 7, "spec.parameters.x y", "'x y' is no name of a parameter"),
        (HEAD + STEP + "  publish: [{output: b.x, model: m}]\n", 7, "spec.publish[0].output", "there is no step 'b'"),
        (
            HEAD + STEP + "  publish: [{output: a, model: m}]\n",
            7,
            "spec.publish[0].output",
            "'a' is no output of a step (write STEP.OUTPUT)",
        ),
        (HEAD + STEP + "  publish: [{output: a.x, model: M}]\n", 7, "spec.publish[0].model", "'M' is no name"),
        (
            HEAD + STEP + "  publish: [{output: a.x, model: journal}]\n",
            7,
            "spec.publish[0].model",
            "'journal' is a name that the repository keeps",
        ),
        (
            HEAD + STEP + "  publish:\n    - {output: a.x, model: m}\n    - {output: a.y, model: m}\n",
            9,
            "spec.publish[1].model",
            "the model 'm' gets two versions",
        ),
        (
            HEAD + STEP + "  publish: [{output: a.x, model: m, requires: metrics.x}]\n",
            7,
            "spec.publish[0].requires",
            "cannot be read: column 10: expected a comparison",
        ),
        (HEAD + STEP + "status: {ready: true}\n", 7, "status.ready", "there is no such field"),
        ("- a\n- b\n", 1, "", "a resource must be a mapping of fields, not a list"),
        ("just words\n", 1, "", "a resource must be a mapping of fields, not the text 'just words'"),
        ("", 1, "", "there is nothing in this file"),
        ("# only a comment\n---\n", 1, "", "there is nothing in this file"),
    ],
)
def test_what_is_wrong_around_the_steps_is_said(text, line, field, says):
    (problem,) = problems(text)
    assert (problem.line, problem.field) == (line, field)
    assert says in str(problem)


@pytest.mark.parametrize(
    ("spec", "field", "says"),
    [
        ("{}", "spec", "say either pipelineRef or pipeline"),
        ("{pipeline_ref: {name: p}}", "spec.pipeline_ref", "did you mean 'pipelineRef'?"),
        ("{pipelineRef: {name: p}, state: Stopped}", "spec.state", "must be 'Run' or 'Cancelled', not the text 'Stopped'"),
        ("{pipelineRef: {name: p}, window: {start: now, end: 5}}", "spec.window.start", "the text 'now' is no time"),
        (
            "{pipelineRef: {name: p}, window: {start: '2026-01-01T00:00:00', end: '2026-01-02T00:00:00'}}",
            "spec.window",
            "write times with their zone",
        ),
        (
            "{pipelineRef: {name: p}, window: {start: '2026-01-02T00:00:00Z', end: '2026-01-01T00:00:00Z'}}",
            "spec.window",
            "start must be before end",
        ),
        ("{pipeline: {steps: [{name: a, component: 'm:f', inputs: {x: b.c}}]}}", "spec.pipeline.steps[0].inputs.x", "there is no step 'b'"),
        ("{pipeline: {steps: [{name: a, component: 'm:f'}]}, steps: [b]}", "spec.steps[0]", "the pipeline has no step 'b'"),
        (
            "{pipeline: {steps: [{name: a, component: 'm:f'}]}, parameters: {x: 1}}",
            "spec.parameters.x",
            "the pipeline has no such parameter",
        ),
        (
            "{pipeline: {parameters: {x: {type: integer}}, steps: [{name: a, component: 'm:f'}]}}",
            "spec.parameters.x",
            "must be given, a whole number",
        ),
        ("{pipeline: {steps: [{name: a, component: 'm:f'}]}, steps: [5]}", "spec.steps[0]", "must be text, not the number 5"),
        ("{pipeline: {steps: [{name: a, component: m}]}, steps: [5]}", "spec.pipeline.steps[0].component", "'m' is no component"),
        ("{pipeline: {steps: [{name: a, component: 'm:f'}, 5]}}", "spec.pipeline.steps[1]", "must be a mapping of fields"),
    ],
)
def test_a_training_is_checked_with_the_pipeline_that_it_holds(spec, field, says):
    found = problems(f"apiVersion: lykeion.dev/v1alpha1\nkind: Training\nmetadata: {{name: t}}\nspec: {spec}\n")
    assert any(problem.field == field and says in str(problem) for problem in found), list(map(str, found))


def test_a_serving_serves_one_thing():
    text = "apiVersion: lykeion.dev/v1alpha1\nkind: Serving\nmetadata: {name: s}\nspec: {index: {family: a}, search: {family: a}}\n"
    assert [problem.message for problem in problems(text)] == ["say either index or search"]


def test_a_name_may_be_used_once_in_a_file_per_kind():
    text = HEAD + STEP + "---\n" + HEAD + STEP
    (problem,) = problems(text)
    assert (problem.line, problem.field, problem.remedy) == (10, "metadata.name", "on line 3; rename one of them")
    serving = "---\napiVersion: lykeion.dev/v1alpha1\nkind: Serving\nmetadata: {name: p}\nspec: {search: {family: p}}\n"
    assert len(parse(HEAD + STEP + serving, "f.yaml")) == 2


def test_problems_of_all_documents_come_together():
    text = HEAD + STEP.replace("m:f", "m") + "---\na: [\n---\n" + HEAD + STEP.replace("name", "nmae") + "---\n[]\n"
    assert [problem.line for problem in problems(text)] == [6, 8, 12, 15, 17]


def test_a_misspelt_field_is_read_as_the_one_that_was_meant():
    """Only so do the mistakes in it come to light, and only so does it cause none of its own."""
    found = in_steps("- nmae: a", "  compnent: nonsense", "  inpts: {x: z.y}", "  retyr: {limit: -1}")
    assert [(problem.line, problem.field.partition("]")[2]) for problem in found] == [
        (6, ".nmae"),
        (7, ".compnent"),
        (7, ".component"),
        (8, ".inpts"),
        (8, ".inputs.x"),
        (9, ".retyr"),
        (9, ".retry.limit"),
    ]


def test_a_step_that_cannot_be_read_still_feeds_those_behind_it():
    text = (
        HEAD + "  steps:\n    - {name: a}\n    - {name: b, component: 'm:f', inputs: {x: a.out}}\n  publish: [{output: a.out, model: m}]\n"
    )
    assert [problem.line for problem in problems(text)] == [6]


def test_words_of_libraries_never_show():
    text = (
        HEAD
        + "  steps:\n    - {name: 5, component: [], with: 3, inputs: 7, parallelism: x, env: 1, resources: {cpu: a, memory: {}}, timeout: [], cache: {}}\n    - x\n  publish: 5\n  parameters: []\n  environment: x\n"
    )
    for problem in problems(text):
        words = str(problem)
        assert not any(
            jargon in words
            for jargon in ("Input should", "valid", "pydantic", "dict", "str ", "tuple", "function-", "constrained", "stand-in", "None")
        )


def test_lines_are_kept_for_later_checks():
    (parsed,) = parse_with_lines(PIPELINE, "pipeline.yaml")
    problem = parsed.place.at("spec", "steps", 4, "inputs", "space").problem("not so")
    assert str(problem) == "pipeline.yaml:19: spec.steps[4].inputs.space: not so"
    assert parsed.lines is lines_of(PIPELINE, "pipeline.yaml", parsed.resource) or parsed.lines == lines_of(PIPELINE, "x", parsed.resource)
    assert lines_of(PIPELINE.replace("parallelism: 4", "parallelism: 3"), "pipeline.yaml", parsed.resource) is None


def test_what_could_be_read_stands_beside_the_problems():
    reading = read(PIPELINE.replace("parallelism: 4", "paralelism: 4"), "f.yaml")
    assert len(reading.problems) == 1
    assert [step.parallelism for step in reading.resources[0].resource.spec.steps][:3] == [1, 4, 2]


def test_a_file_with_thousands_of_mistakes_is_answered_shortly_and_with_no_more_work_for_each():
    def wrong(steps: int) -> str:
        return (
            HEAD + "  steps:\n" + "".join(f"    - {{name: a{i}, component: 'm:f', inputs: {{x: b{i}.x}}, zork: 1}}\n" for i in range(steps))
        )

    found = problems(wrong(3000))
    assert len(found) == MOST_SHOWN + 1
    assert "more problems" in found[-1].message
    assert calls(lambda: problems(wrong(3000))) < 3.3 * calls(lambda: problems(wrong(1000)))


def test_a_pipeline_of_5000_steps_is_read_with_no_more_work_for_each_than_one_of_500():
    def large(steps: int) -> str:
        return (
            HEAD
            + "  steps:\n    - {name: s0, component: 'm:f'}\n"
            + "".join(
                f"    - name: s{i}\n      component: m:f\n      with: {{size: 3}}\n      inputs: {{a: s{i - 1}.x, b: s{i // 2}.x}}\n"
                for i in range(1, steps)
            )
        )

    assert len(parse(large(5000), "large.yaml")[0].spec.steps) == 5000
    assert calls(lambda: parse(large(5000), "large.yaml")) < 11 * calls(lambda: parse(large(500), "large.yaml"))


fragments = st.recursive(
    st.sampled_from(["a", "a.x", "m:f", "", "${parameters.x}", "stable", "Pipeline", 0, 1, -1, 2.5, True, None]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "component",
                    "image",
                    "with",
                    "inputs",
                    "x",
                    "model",
                    "alias",
                    "otherwise",
                    "output",
                    "cache",
                    "retry",
                    "default",
                    "zork",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(
        st.sampled_from(
            ["steps", "parameters", "publish", "environment", "pipelineRef", "pipeline", "window", "index", "search", "workers", "stpes"]
        ),
        st.lists(fragments, max_size=3) | fragments,
        max_size=4,
    ),
    fragments,
)
@settings(max_examples=100, deadline=None)
def test_any_mapping_is_read_or_refused_with_problems(kind, spec, metadata):
    text = to_yaml_text({"apiVersion": "lykeion.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    reading = read(text, "f.yaml")
    assert all(problem.file == "f.yaml" and problem.line >= 1 and problem.message for problem in reading.problems)
    assert reading.problems or [parsed.resource.kind for parsed in reading.resources] == [kind]
