"""The platform of one home: versions are mounted, and what is to be served is found, whatever lies in the repository."""

import pytest

from lykeion import assembly
from lykeion.assembly import Platform, journalled, local
from lykeion.errors import Corrupt, NotFound, Unavailable
from lykeion.repository import open_repository


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.delenv("LYKEION_REPOSITORY", raising=False)
    with local(str(tmp_path / "home")) as found:
        yield found


def publish(platform: Platform, folder, model: str, content: str = "x", deploy=None, alias: str = "stable", repository=None) -> int:
    files = folder / f"{model}-{content}"
    files.mkdir(exist_ok=True)
    (files / "weights.bin").write_text(content)
    there = repository or platform.repository
    made = there.publish(model, files, deploy=deploy)
    there.move_alias(model, alias, made.version, reason="published")
    return made.version


def damage(platform: Platform, model: str, version: int) -> None:
    manifest = platform.home.repository / model / str(version) / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{}")


def test_a_version_is_mounted_once_and_its_files_are_there(platform, tmp_path):
    publish(platform, tmp_path, "shoes")
    version, folder = platform.mounted("shoes@stable")
    assert (folder / "weights.bin").read_text() == "x"
    assert folder.is_symlink()
    platform.mount(version)
    assert list(folder.parent.iterdir()) == [folder]


def test_what_cannot_be_resolved_is_none_or_says_why(platform, tmp_path):
    assert platform.resolve("shoes@stable") is None
    publish(platform, tmp_path, "shoes")
    damage(platform, "shoes", 1)
    with pytest.raises(Corrupt):
        platform.resolve("shoes@stable")
    with pytest.raises(NotFound):
        platform.mounted("hats@stable")


def test_another_repository_has_versions_of_its_own(platform, tmp_path, monkeypatch):
    publish(platform, tmp_path, "shoes", "ours")
    platform.mounted("shoes@1")
    other = (tmp_path / "other").as_uri()
    publish(platform, tmp_path, "shoes", "theirs", repository=open_repository(other))
    monkeypatch.setenv("LYKEION_REPOSITORY", other)
    with local(str(platform.home.root)) as elsewhere:
        _, folder = elsewhere.mounted("shoes@1")
        assert (folder / "weights.bin").read_text() == "theirs"


def test_only_what_was_published_to_be_served_under_its_alias_is_deployed(platform, tmp_path):
    publish(platform, tmp_path, "shoes", deploy={"serving": "shoes", "track": "stable"})
    publish(platform, tmp_path, "hats", deploy={"serving": "hats", "track": "canary"}, alias="canary")
    publish(platform, tmp_path, "coats", deploy={"serving": "coats", "track": "canary"}, alias="stable")
    publish(platform, tmp_path, "plain")
    assert platform.deployed() == {"shoes": "stable", "hats": "canary"}


@pytest.mark.parametrize("name", ["", "Not A Name", "x" * 36, 3, None, "../up", "photos-index", "photos-space"])
def test_what_can_be_no_name_is_not_served(platform, tmp_path, name):
    publish(platform, tmp_path, "odd", deploy={"serving": name, "track": "stable"})
    assert platform.deployed() == {}


def test_a_damaged_version_keeps_no_other_from_being_served(platform, tmp_path):
    for model in ("coats", "shoes", "hats"):
        publish(platform, tmp_path, model, deploy={"serving": model, "track": "stable"})
    damage(platform, "hats", 1)
    assert platform.deployed() == {"coats": "stable", "shoes": "stable"}


@pytest.fixture
def looks(platform, monkeypatch) -> list[int]:
    """One entry for each time that the whole repository is looked through."""
    found: list[int] = []
    models = platform.repository.models
    monkeypatch.setattr(platform.repository, "models", lambda: found.append(1) or models())
    return found


def test_the_repository_is_looked_through_when_something_happened_in_it_and_once_an_hour(platform, tmp_path, looks, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(assembly, "monotonic", lambda: now[0])
    deployed = journalled(platform)
    for _ in range(5):
        assert deployed() == {}
    assert len(looks) == 1
    publish(platform, tmp_path, "shoes", deploy={"serving": "shoes", "track": "stable"})
    for _ in range(5):
        assert deployed() == {"shoes": "stable"}
    assert len(looks) == 2
    now[0] += 3601
    deployed()
    assert len(looks) == 3


def test_a_repository_that_did_not_answer_is_asked_again(platform, tmp_path, monkeypatch):
    deployed = journalled(platform)
    assert deployed() == {}
    publish(platform, tmp_path, "shoes", deploy={"serving": "shoes", "track": "stable"})
    models = platform.repository.models

    def silent():
        raise Unavailable("no answer")

    monkeypatch.setattr(platform.repository, "models", silent)
    with pytest.raises(Unavailable):
        deployed()
    monkeypatch.setattr(platform.repository, "models", models)
    assert deployed() == {"shoes": "stable"}


def test_a_closed_platform_leaves_no_socket_behind(tmp_path):
    with local(str(tmp_path / "home")) as platform:
        platform.bell.listen()
        assert platform.bell.path.exists()
    assert not platform.bell.path.exists()


def test_what_cannot_be_mounted_is_told_and_no_crash(platform, tmp_path):
    publish(platform, tmp_path, "shoes")
    (platform.home.models / "shoes").write_text("a file in the way")
    with pytest.raises(Unavailable, match="shoes@1 cannot be mounted"):
        platform.mounted("shoes@1")
