"""Serving: something that answers and is kept up. Here: index servers of a family, and the search in front of them."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from lykeion.core.resources.metadata import LONGEST_NAME, Condition, Resource, Strict, check_name

ENDINGS = ("-cover", "-index", "-load", "-route", "-space")  # of what is made for a family (core.serving.names)
LONGEST_FAMILY = LONGEST_NAME - max(map(len, ENDINGS))


def check_family(name: str) -> str:
    """A name of which nothing is also made for another family. Raises ValueError."""
    if len(check_name(name)) > LONGEST_FAMILY or name.endswith(ENDINGS):
        taken = ", ".join(ENDINGS)
        raise ValueError(f"{name!r} cannot be a family: use at most {LONGEST_FAMILY} characters, and none of the endings {taken}")
    return name


Family = Annotated[str, AfterValidator(check_family)]


class IndexServing(Strict):
    """Index servers that hold what the family's cover names."""

    family: Family


class SearchServing(Strict):
    """The search of a family: extractor, proxy, and the cover that says which indexes answer."""

    family: Family


class ServingSpec(Strict):
    """`workers` share the memory of what they serve and answer side by side."""

    index: IndexServing | None = None
    search: SearchServing | None = None
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    track: str = "stable"
    """The alias that is followed."""

    @model_validator(mode="after")
    def one_of_index_and_search(self) -> "ServingSpec":
        if (self.index is None) == (self.search is None):
            raise ValueError("say either index or search")
        return self

    @property
    def family(self) -> str:
        chosen = self.index or self.search
        assert chosen is not None  # the validator above
        return chosen.family


class ServingStatus(Strict):
    """`serving`: the versions that answer now; `url`: where, relative to the platform's address."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    url: str = ""
    serving: tuple[str, ...] = ()
    ready_workers: int = 0


class Serving(Resource):
    plural: ClassVar[str] = "servings"

    kind: Literal["Serving"] = "Serving"
    spec: ServingSpec
    status: ServingStatus = Field(default_factory=ServingStatus)
