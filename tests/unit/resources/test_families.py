"""What a family may be called: nothing that is made for it may have the name of something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lykeion.core.resources import Metadata, SearchServing
from lykeion.core.resources.serving import ENDINGS, LONGEST_FAMILY, check_family
from lykeion.core.serving import names

FAMILIES = st.from_regex(r"[a-z]([-a-z0-9]{0,40}[a-z0-9])?", fullmatch=True)
MADE = (names.index_serving, names.cover_document, names.load_document, names.route_name, names.space_model)


def is_family(name):
    try:
        check_family(name)
    except ValueError:
        return False
    return True


@given(FAMILIES, FAMILIES)
def test_nothing_made_for_one_family_has_the_name_of_another(one, other):
    for family in (one, *(make(one) for make in MADE)):
        assert family == one or not is_family(family)
    if is_family(one) and is_family(other) and one != other:
        assert not {one, *(make(one) for make in MADE)} & {other, *(make(other) for make in MADE)}


@given(FAMILIES.filter(is_family))
def test_whatever_is_made_for_a_family_can_be_a_resource(family):
    for make in (names.search_serving, names.index_serving):
        assert Metadata(name=make(family))


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "a" * (LONGEST_FAMILY + 1), *(f"photos{ending}" for ending in ENDINGS)])
def test_other_names_are_refused_in_a_serving(name):
    with pytest.raises(ValidationError, match="family"):
        SearchServing(family=name)
