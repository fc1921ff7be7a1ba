"""From one cover to the next: what is loaded, what goes on answering, when it is acknowledged, what is done with what makes no sense."""

import asyncio
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from search_servers import cover_of, within

from lykeion.core.content import canonical
from lykeion.servers import cover as cover_module
from lykeion.servers.cover import servers_of
from lykeion.servers.proxy_server import report
from lykeion.testing.families import entry, write_family
from lykeion.testing.servers import until_others

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["indexes", "space", "digest", "version", "model"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@pytest.fixture
def now(monkeypatch):
    """The clock of `lykeion.servers.cover`, moved by hand."""

    class Clock:
        seconds = 1000.0

        def monotonic(self):
            return self.seconds

    clock = Clock()
    monkeypatch.setattr(cover_module, "time", clock)
    return clock


def cover(shops, *families, embedding="e"):
    return {**cover_of(shops.first, [(family.index, ["unix:/a"]) for family in families]), "embedding": embedding}


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=3), st.lists(st.sampled_from(["unix:/a", "unix:/b", "unix:/c"]), max_size=3)), max_size=9
    )
)
def test_every_index_is_asked_of_exactly_one_client_and_each_server_has_one(indexes):
    made = asyncio.run(clients([{"digest": digest, "addresses": addresses} for digest, addresses in indexes]))
    assert sorted((digest, list(client.addresses)) for client in made for digest in client.indexes) == sorted(
        (digest, list(addresses)) for digest, addresses in indexes
    )
    assert len({tuple(client.addresses) for client in made}) == len(made)


async def clients(indexes):
    return servers_of({"indexes": indexes})


def test_a_cover_is_read_as_it_was_written(shops, tmp_path):
    async def story(photos):
        digest = photos.write(cover(shops, *shops.families))
        await photos.covers.follow()
        current = photos.covers.current
        assert (current.digest, photos.covers.acknowledged) == (digest, digest)
        assert [entry(version) for version in current.indexes] == [entry(family.index) for family in shops.families]
        assert entry(current.space) == entry(shops.first.space)
        assert (current.embedding, current.dimension) == ("e", 24)

    within(tmp_path, shops.volume, story)


def test_a_cover_that_names_no_embedding_has_that_of_its_space(shops, tmp_path):
    async def story(photos):
        photos.write(cover(shops, shops.first, embedding=""))
        await photos.covers.follow()
        assert photos.covers.current.embedding == shops.first.index.metadata["embedding"]

    within(tmp_path, shops.volume, story)


def test_the_same_space_is_not_loaded_again_and_another_one_is(shops, tmp_path):
    async def story(photos):
        photos.write(cover(shops, shops.families[0]))
        await photos.covers.follow()
        eyes = photos.covers.current.eyes
        photos.write(cover(shops, shops.families[1]))
        await photos.covers.follow()
        assert photos.covers.current.eyes is eyes
        other = write_family(tmp_path / "other", 9, 3, space=2)
        shutil.copytree(tmp_path / "other" / other.space.path, shops.volume / other.space.path, dirs_exist_ok=True)
        photos.write(cover_of(other, [(other.index, ["unix:/a"])]))
        await photos.covers.follow()
        assert photos.covers.current.eyes.digest == other.space.digest != eyes.digest

    within(tmp_path, shops.volume, story)


def test_a_new_cover_answers_at_once_but_is_acknowledged_only_when_the_queries_under_way_have_ended(shops, tmp_path):
    async def story(photos):
        first = photos.write(cover(shops, shops.families[0]))
        await photos.covers.follow()
        old = photos.covers.current
        second = photos.write(cover(shops, shops.families[1]))
        with old.used(), old.used():
            following = asyncio.create_task(photos.covers.follow())
            await until_others(lambda: photos.covers.current is not old)
            assert photos.covers.current.digest == second
            assert photos.covers.acknowledged == first
        await following
        assert photos.covers.acknowledged == second

    within(tmp_path, shops.volume, story)


def test_a_query_that_never_ends_does_not_hold_up_the_acknowledgement_for_ever(shops, tmp_path, monkeypatch):
    monkeypatch.setattr(cover_module, "LONGEST_QUERY", 0.01)

    async def story(photos):
        photos.write(cover(shops, shops.families[0]))
        await photos.covers.follow()
        second = photos.write(cover(shops, shops.families[1]))
        with photos.covers.current.used():
            await photos.covers.follow()
        assert photos.covers.acknowledged == second

    within(tmp_path, shops.volume, story)


def test_a_space_that_is_not_there_yet_is_tried_again_after_a_while_and_what_answered_goes_on(shops, tmp_path, now):
    other = write_family(tmp_path / "later", 1, 3, family="hats", space=7)

    async def story(photos):
        first = photos.write(cover(shops, shops.first))
        await photos.covers.follow()
        second = photos.write(cover_of(other, [(other.index, ["unix:/a"])]))
        await photos.covers.follow()
        assert photos.covers.current.digest == first
        assert "does not hold a space" in photos.covers.problem
        told = report(photos.covers, "photos-cover", "unix:/me")
        assert (told.ready, told.reason, told.acknowledged) == (True, photos.covers.problem, {})
        shutil.copytree(tmp_path / "later" / other.space.path, shops.volume / other.space.path)
        await photos.covers.follow()
        assert photos.covers.current.digest == first, "it is not tried at every look"
        now.seconds += cover_module.TRY_AGAIN
        await photos.covers.follow()
        assert (photos.covers.current.digest, photos.covers.problem) == (second, "")
        assert report(photos.covers, "photos-cover", "unix:/me").acknowledged == {"photos-cover": second}

    within(tmp_path, shops.volume, story)


def test_a_better_document_is_not_made_to_wait_for_the_bad_one_before_it(shops, tmp_path, now):
    async def story(photos):
        photos.write({"indexes": []})
        await photos.covers.follow()
        assert photos.covers.problem.startswith("the cover cannot be loaded")
        digest = photos.write(cover(shops, shops.first))
        await photos.covers.follow()
        assert photos.covers.acknowledged == digest

    within(tmp_path, shops.volume, story)


@pytest.mark.parametrize("damage", [b"", b"{}", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00"], ids=repr)
@pytest.mark.parametrize("file", ["space.json", "mean.npy", "extractor.json", "extractor.onnx"])
def test_a_damaged_space_is_a_reason_and_no_crash(shops, tmp_path, file, damage):
    volume = tmp_path / "volume"
    shutil.copytree(shops.volume / shops.first.space.path, volume / shops.first.space.path)
    (volume / shops.first.space.path / file).write_bytes(damage)

    async def story(photos):
        photos.write(cover(shops, shops.first))
        await photos.covers.follow()
        assert photos.covers.current is None
        assert str(volume / shops.first.space.path) in photos.covers.problem

    within(tmp_path, volume, story)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON)
def test_whatever_json_stands_in_the_document_what_answered_goes_on(shops, tmp_path, content):
    async def story(photos):
        first = photos.write(cover(shops, shops.first))
        await photos.covers.follow()
        photos.write(content)
        await photos.covers.follow()
        assert photos.covers.current.digest == first
        assert photos.covers.problem

    within(tmp_path, shops.volume, story)


def test_a_version_that_is_no_number_is_a_reason_too(shops, tmp_path):
    async def story(photos):
        content = cover(shops, shops.first)
        content["indexes"][0]["version"] = "one"
        photos.write(content)
        await photos.covers.follow()
        assert "'one'" in photos.covers.problem

    within(tmp_path, shops.volume, story)


def test_the_digest_that_is_acknowledged_is_that_of_the_files_bytes(shops, tmp_path):
    content = cover(shops, shops.first)

    async def story(photos):
        (tmp_path / "photos-cover.json").write_bytes(b"\n" + canonical(content))
        await photos.covers.follow()
        assert photos.covers.acknowledged != photos.write(content)

    within(tmp_path, shops.volume, story)
