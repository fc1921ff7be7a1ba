"""`lykeion doctor` says whether the registry that images go to lets us in."""

import pytest

from lykeion.adapters.local.doctor import registry
from lykeion.adapters.registry import REGISTRY


def test_where_no_registry_is_named_none_is_looked_for(monkeypatch):
    monkeypatch.delenv(REGISTRY, raising=False)
    assert list(registry()) == []


def test_a_registry_that_answers_is_well(server, monkeypatch):
    monkeypatch.setenv(REGISTRY, f"{server.host}/team/")
    assert [(check.ok, check.detail) for check in registry()] == [(True, f"{server.host}/team answers")]


@pytest.mark.parametrize(
    ("prefix", "told"),
    [("127.0.0.1:1", "nobody answers there"), ("photos", "does not say which registry"), ("localhost:5000/UPPER", "is no name")],
)
def test_one_that_does_not_is_wrong_and_the_variable_is_named(monkeypatch, prefix, told):
    monkeypatch.setenv(REGISTRY, prefix)
    (check,) = registry()
    assert check.ok is False
    assert told in check.detail
    assert REGISTRY in check.remedy
