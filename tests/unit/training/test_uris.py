"""Where a relative path leads: from the pipeline's file, or from where the command was typed."""

import pytest

from lykeion.core.pipelines.keys import deciding_parameters, effective_parameters, located
from lykeion.core.pipelines.signature import ParameterSignature, Signature

READER = Signature("work:read", parameters={"uri": ParameterSignature("uri"), "name": ParameterSignature("string")}, fingerprint=True)


@pytest.mark.parametrize("uri", ["/data/a.csv", "s3://bucket/a.csv", "file:///a.csv", "~/a.csv", ""])
def test_what_is_absolute_stays(uri):
    assert located(uri, "/pipelines") == uri


def test_a_relative_path_is_from_the_folder_of_the_pipeline():
    given = {"uri": "data/a.csv", "name": "data/a.csv"}
    assert effective_parameters(given, READER, "/pipelines") == {"uri": "/pipelines/data/a.csv", "name": "data/a.csv"}


def test_where_the_pipeline_lies_does_not_decide_its_results():
    assert deciding_parameters({"uri": "data/a.csv", "name": "x"}, READER) == {"name": "x"}
