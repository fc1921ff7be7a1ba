"""The key of a step that runs an image: its digest and its command decide, and never its name."""

import pytest
from pydantic import ValidationError

from lykeion.core.pipelines.image_steps import pinned, signature_of
from lykeion.core.pipelines.keys import KeyMaterial
from lykeion.core.resources.pipeline import PipelineSpec, Step

ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")


def identity(image: str, *command: str) -> str:
    return signature_of(Step(name="a", image=image, command=command), {}).identity


def test_the_same_image_by_another_name_has_the_same_identity():
    assert identity(f"photos:1@{ONE}", "run") == identity(f"localhost:5000/team/photos:2@{ONE}", "run")


def test_another_image_or_command_has_another():
    assert len({identity(f"x@{ONE}", "run"), identity(f"x@{OTHER}", "run"), identity(f"x@{ONE}", "run", "on"), identity(f"x@{ONE}")}) == 4


def test_what_differs_is_called_the_image_or_the_command():
    before, now = (KeyMaterial(identity(f"x@{digest}")) for digest in (ONE, OTHER))
    assert now.differs_from(before) == ["the image or the command changed"]


def test_with_a_network_it_may_read_anything():
    assert signature_of(Step(name="a", image=f"x@{ONE}", network=True), {}).reads_outside


def test_a_network_belongs_to_an_image():
    with pytest.raises(ValidationError, match="belong to a step with an image"):
        Step(name="a", component="a:b", network=True)


def test_images_are_pinned_by_how_they_are_written():
    spec = PipelineSpec(steps=(Step(name="a", image="x"), Step(name="b", image="y"), Step(name="c", component="a:b")))
    assert [step.image for step in pinned(spec, {"x": f"x@{ONE}"}).steps] == [f"x@{ONE}", "y", None]
