"""Resources built in Python and written as YAML read back as equal values."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.resources import (
    Deploy,
    Environment,
    IndexServing,
    Metadata,
    ModelInput,
    Parameter,
    Pipeline,
    PipelineRef,
    PipelineSpec,
    Publish,
    Retry,
    SearchServing,
    Serving,
    ServingSpec,
    Step,
    StepResources,
    Training,
    TrainingSpec,
    WindowSpec,
)
from lykeion.core.resources.parse import parse
from lykeion.core.resources.write import to_yaml

names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
metadata = st.builds(
    Metadata, name=names, labels=st.dictionaries(texts, texts, max_size=2), annotations=st.dictionaries(texts, texts, max_size=2)
)


@st.composite
def parameters(draw):
    kind = draw(st.sampled_from(["string", "integer", "number", "boolean", "uri"]))
    defaults = {
        "string": texts,
        "integer": st.integers(),
        "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        "boolean": st.booleans(),
        "uri": texts.filter(bool),
    }
    return Parameter(type=kind, default=draw(st.none() | defaults[kind]), description=draw(texts))


@st.composite
def steps(draw, name, before):
    outputs = st.sampled_from([f"{one}.out" for one in before]) if before else st.nothing()
    models = st.builds(ModelInput, model=names, alias=names, otherwise=st.none() | outputs) | st.builds(
        ModelInput, model=names, version=st.integers(1, 9)
    )
    sources = models | st.builds("models:{}@{}".format, names, names | st.integers(1, 9)) | outputs
    image = draw(st.booleans())
    return Step(
        name=name,
        **(
            {"image": draw(words), "command": tuple(draw(st.lists(texts, max_size=2))), "outputs": ("out",)}
            if image
            else {"component": "pkg.mod:f"}
        ),
        **{"with": draw(st.dictionaries(texts, json_values, max_size=3))},
        inputs=draw(st.dictionaries(words, sources, max_size=2)),
        parallelism=draw(st.integers(1, 9)),
        resources=StepResources(cpu=draw(st.floats(0.1, 64)), memory=draw(st.none() | st.integers(1, 2**40))),
        retry=Retry(limit=draw(st.integers(0, 5)), backoff=draw(st.floats(0, 1000))),
        timeout=draw(st.none() | st.floats(0, 1e6)),
        cache=draw(st.sampled_from(["always", "never"]) | st.floats(0, 1e6)),
        env=draw(st.dictionaries(words, texts.filter(lambda text: "\0" not in text) | st.just("${secrets.db.password}"), max_size=2)),
    )


@st.composite
def specs(draw):
    chosen = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    made = tuple(draw(steps(name, chosen[:number])) for number, name in enumerate(chosen))
    publish = tuple(
        Publish(
            output=f"{chosen[0]}.out",
            model=model,
            requires=draw(st.sampled_from([None, "metrics.x >= 0.5"])),
            deploy=draw(st.none() | st.builds(Deploy, serving=st.just(model), track=names)),
        )
        for model in draw(st.lists(names.filter(lambda name: name != "journal"), max_size=2, unique=True))
    )
    return PipelineSpec(
        environment=Environment(requirements=draw(st.none() | texts)),
        parameters=draw(st.dictionaries(words, parameters(), max_size=3)),
        steps=made,
        publish=publish,
    )


@given(metadata, specs())
@settings(max_examples=50, deadline=None)
def test_a_pipeline_reads_back_equal(head, spec):
    pipeline = Pipeline(metadata=head, spec=spec)
    assert parse(to_yaml(pipeline), "f.yaml") == (pipeline,)


@given(
    metadata,
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.dictionaries(words, json_values, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_a_training_reads_back_equal(head, start, given_values):
    window = WindowSpec(start=start, end=start.replace(year=2101))
    training = Training(metadata=head, spec=TrainingSpec(pipeline_ref=PipelineRef(name="p"), parameters=given_values, window=window))
    assert parse(to_yaml(training), "f.yaml") == (training,)


def test_many_resources_are_one_file():
    servings = (
        Serving(metadata=Metadata(name="a"), spec=ServingSpec(index=IndexServing(family="a"), workers=3)),
        Serving(metadata=Metadata(name="b"), spec=ServingSpec(search=SearchServing(family="a"), track="canary")),
    )
    text = to_yaml(*servings)
    assert parse(text, "f.yaml") == servings
    assert text.startswith("---\napiVersion: lykeion.dev/v1alpha1\nkind: Serving\n")


def test_what_was_not_said_is_not_written():
    pipeline = Pipeline(metadata=Metadata(name="p"), spec=PipelineSpec(steps=(Step(name="a", component="m:f"),)))
    assert to_yaml(pipeline) == (
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata:\n  name: p\nspec:\n  steps:\n  - name: a\n    component: m:f\n"
    )
