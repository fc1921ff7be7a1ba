"""`lykeion gc` as it is called: the item caches are compacted, too, and what is left alone is said."""

import fcntl
from hashlib import sha256

import pyarrow as pa

from lykeion.adapters.local.home import Home
from lykeion.components.item_cache import DIGEST, SegmentWriter, segment_files
from lykeion.core.resources import Training
from lykeion.core.resources.parse import parse

PIPELINE = "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec: {steps: [{name: a, component: 'x.y:z'}]}\n"


def facts_of_nothing(home):
    """Rows of 500 pictures that nobody has."""
    facts = Home.at(home).cache / "picture-facts"
    with SegmentWriter(facts, pa.schema([("digest", DIGEST), ("why", pa.string())])) as writer:
        for number in range(500):
            writer.add(digest=sha256(str(number).encode()).digest(), why="a sentence of some length")
    return facts


def test_rows_of_pictures_that_are_gone_go_and_their_bytes_are_told(cli, home):
    facts = facts_of_nothing(home)
    (segment,) = segment_files(facts)
    size = (facts / segment).stat().st_size
    would = cli("gc", "--dry-run", "-o", "json").json["removed"]
    assert would == {"row": {"count": 500, "bytes": size}}
    assert segment_files(facts) == [segment], "a dry run changes nothing"
    assert "WOULD GO" in (told := cli("gc", "--dry-run").out)
    assert "row" in told
    assert cli("gc", "-o", "json").json["removed"] == would
    assert segment_files(facts) == []
    assert cli("gc", "-o", "json").json["removed"] == {}


def test_what_is_left_alone_while_a_training_is_under_way_is_said_to_people_too(cli, home, platform):
    facts = facts_of_nothing(home)
    (pipeline,) = parse(PIPELINE, "p.yaml")
    platform.resources.apply(pipeline)
    platform.resources.create(Training.model_validate({"metadata": {"name": "p-1"}, "spec": {"pipelineRef": {"name": "p"}}}))
    lock = Home.at(home).locks / "tasks"
    lock.touch()
    with lock.open() as held:  # as another process would that runs steps
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "run this again when p-1 has ended" in cli("gc").err
        (note,) = cli("gc", "-o", "json").json["notes"]
    assert "p-1 has ended" in note
    assert len(segment_files(facts)) == 1
