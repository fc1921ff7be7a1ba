"""Names of runs: the next free one, always one that a resource can have."""

from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.pipelines.names import rerun_name, training_name
from lykeion.core.resources.metadata import check_name

NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


@given(NAME, st.integers(0, 30))
def test_names_count_on_and_are_names(pipeline, runs):
    taken: list[str] = []
    for _ in range(runs):
        name = training_name(pipeline, taken)
        assert check_name(name) not in taken
        taken.append(name)
    assert [int(name.rpartition("-")[2]) for name in taken] == list(range(1, runs + 1))


@given(NAME, st.integers(1, 20))
def test_a_rerun_of_a_rerun_counts_on(training, runs):
    taken, name = [training], training
    for _ in range(runs):
        name = rerun_name(name, taken)
        assert check_name(name) not in taken
        assert name.count("-r") <= training.count("-r") + 1
        taken.append(name)


@given(NAME, st.lists(NAME, max_size=5), st.lists(st.integers(0, 10**45), max_size=5))
def test_whatever_others_are_called_the_next_name_is_free_and_a_name(pipeline, others, numbers):
    taken = {*others, *(f"{pipeline}-{number}"[:40] for number in numbers)}
    assert check_name(training_name(pipeline, taken)) not in taken
    assert check_name(rerun_name(pipeline, taken)) not in taken


def test_numbers_go_on_from_the_highest_one():
    assert training_name("words", ["words-2", "words-10", "words-x", "other-99", "words-2-r7"]) == "words-11"
    assert rerun_name("words-10-r3", ["words-10-r3"]) == "words-10-r4"
