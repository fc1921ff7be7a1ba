"""An index server's calls over real gRPC: what is refused and how; what its shelf does with a directory that is damaged."""

import asyncio
import json
import os
import shutil
import time

import grpc
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from search_servers import index_server

from lykeion.core.values import ModelVersion
from lykeion.servers.documents import Follower
from lykeion.servers.index_client import BadRequest, IndexClient, Unanswered
from lykeion.servers.index_server import Following, IndexNumbers
from lykeion.servers.index_service import MOST_VECTORS, SERVICE
from lykeion.servers.shelf import Shelf
from lykeion.testing.families import entry, write_document, write_family
from lykeion.testing.servers import until_others


@pytest.fixture
def address(shops, sockets):
    with index_server(shops.volume, sockets / "i", *(family.index for family in shops.families)) as found:
        yield found


def rows(count, dimension=24, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype("<f4").tobytes()


def asking(address, indexes, call, deadline=5.0):
    """One call by a client of its own."""

    async def story():
        client = IndexClient([address] if isinstance(address, str) else address, indexes)
        try:
            return await call(client, time.monotonic() + deadline)
        finally:
            await client.close()

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("vectors", "dimension", "k", "filters", "says"),
    [
        (rows(1), 24, 0, (), "k is 0: ask for 1 to 1000"),
        (rows(1), 24, 1001, (), "k is 1001"),
        (b"", 24, 5, (), "0 bytes are no rows of 24"),
        (rows(1)[:-1], 24, 5, (), "95 bytes are no rows of 24"),
        (rows(1), 0, 5, (), "no rows of 0"),
        (rows(MOST_VECTORS + 1), 24, 5, (), "65 vectors in one call: send 64 at most"),
        (np.array([[np.nan] * 24], "<f4").tobytes(), 24, 5, (), "not finite"),
        (np.array([[np.inf] * 24], "<f4").tobytes(), 24, 5, (), "not finite"),
        (rows(1, 23), 23, 5, (), "a vector has 23 numbers, the index 24"),
        (rows(1), 24, 5, ("colour:red",), "there is no field 'colour'"),
        (rows(1), 24, 5, ("price:cheap", "categry:x"), "did you mean category?"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_bad_request_is_told_apart_from_a_server_that_fails_and_the_server_goes_on(shops, address, vectors, dimension, k, filters, says):
    digests = [shops.first.index.digest]
    with pytest.raises(BadRequest) as refused:
        asking(address, digests, lambda client, until: client.search(vectors, dimension, k, filters, until))
    assert says in str(refused.value)
    reply = asking(address, digests, lambda client, until: client.search(rows(2), 24, 3, (), until))
    assert [len(hits.items) for hits in reply.indexes[0].queries] == [3, 3]


def test_each_vector_has_an_answer_of_its_own_in_the_order_they_came(shops, address):
    digest = shops.first.index.digest
    both = asking(address, [digest], lambda client, until: client.search(rows(2, seed=5), 24, 4, (), until)).indexes[0].queries
    for number in (0, 1):
        one = rows(2, seed=5)[96 * number : 96 * (number + 1)]
        alone = asking(address, [digest], lambda client, until, one=one: client.search(one, 24, 4, (), until))
        assert list(both[number].items) == list(alone.indexes[0].queries[0].items)


def test_an_items_vectors_come_from_the_first_index_that_has_it(shops, address):
    digests = [family.index.digest for family in shops.families]
    found = asking(address, digests, lambda client, until: client.vectors("item-00015", until))
    assert (found.index, found.dimension) == (shops.families[2].index.digest, 24)
    assert np.allclose(np.frombuffer(found.vectors, "<f4"), shops.families[2].vectors[15], atol=1e-3)
    missing = asking(address, ["sha256:none", *digests], lambda client, until: client.vectors("nobody", until))
    assert missing.vectors == b""


def test_bytes_that_are_no_message_are_refused_and_the_server_goes_on(shops, address):
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(f"/{SERVICE}/Search")(b"\xff" * 100, timeout=5)
    assert asking(address, [shops.first.index.digest], lambda client, until: client.search(rows(1), 24, 3, (), until)).indexes[0].queries


def test_nobody_to_ask_is_said_so(shops):
    with pytest.raises(Unanswered, match="no index server is known"):
        asking([], [shops.first.index.digest], lambda client, until: client.search(rows(1), 24, 3, (), until))


def test_a_deadline_that_is_over_asks_nobody(shops, address):
    with pytest.raises(Unanswered, match="no answer in time"):
        asking(address, [shops.first.index.digest], lambda client, until: client.search(rows(1), 24, 3, (), until), deadline=-1)


def test_a_server_that_comes_back_is_waited_for_within_the_deadline(shops, sockets):
    digest = shops.first.index.digest

    async def story():
        client = IndexClient([f"unix:{sockets / 'i'}"], [digest])
        asked = asyncio.create_task(client.search(rows(1), 24, 3, (), time.monotonic() + 20))
        await until_others(lambda: client.lost_since is not None)
        with index_server(shops.volume, sockets / "i", shops.first.index):
            reply = await asked
            assert client.lost_since is None
            await client.close()
        return reply

    assert len(asyncio.run(story()).indexes[0].queries[0].items) == 3


def test_one_that_has_been_gone_for_long_is_not_waited_for(shops, sockets):
    async def story():
        client = IndexClient([f"unix:{sockets / 'i'}"], [shops.first.index.digest], lost_since=time.monotonic() - 60)
        with pytest.raises(Unanswered, match="unavailable"):
            await client.search(rows(1), 24, 3, (), time.monotonic() + 3600)
        await client.close()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_worker_that_holds_less_is_asked_only_where_no_other_holds_all(shops, sockets):
    one, other, _ = (family.index for family in shops.families)

    def problems(addresses, turn):
        async def story():
            client = IndexClient(addresses, [one.digest, other.digest], turn=turn)
            reply = await client.search(rows(1), 24, 3, (), time.monotonic() + 5)
            await client.close()
            return [index.problem for index in reply.indexes]

        return asyncio.run(story())

    with index_server(shops.volume, sockets / "a", one) as little, index_server(shops.volume, sockets / "b", one, other) as all_of_it:
        assert [problems([little, all_of_it], turn) for turn in (0, 1)] == [["", ""]] * 2
        assert problems([little], 0) == ["", "this server does not hold it"]


def test_a_call_that_there_is_not_is_said_so(address):
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/{SERVICE}/Delete")(b"", timeout=5)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


DAMAGES = {
    "no directory": shutil.rmtree,
    "no manifest": lambda folder: (folder / "index.json").unlink(),
    "manifest cut": lambda folder: os.truncate(folder / "index.json", 20),
    "another format": lambda folder: (folder / "index.json").write_text(
        json.dumps(json.loads((folder / "index.json").read_text()) | {"format": 2})
    ),
    "vectors cut": lambda folder: os.truncate(folder / "rows.fp16", 10),
    "no vectors": lambda folder: (folder / "rows.fp16").unlink(),
    "rows cut": lambda folder: os.truncate(folder / "rows.arrow", 100),
    "rows are something else": lambda folder: (folder / "rows.arrow").write_bytes(b"hello" * 1000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_a_reason_and_the_others_are_held(shops, tmp_path, damage):
    first, second = (write_family(tmp_path, version, 4) for version in (1, 2))
    folder = tmp_path / second.index.path
    os.chmod(folder, 0o755)
    DAMAGES[damage](folder)
    shelf = Shelf(tmp_path)
    assert not shelf.hold([first.index, second.index])
    assert list(shelf.held) == [first.index.digest]
    assert shelf.problems[second.index.digest].startswith("photos@2: ")
    assert shelf.find(second.index.digest) is None


def test_what_is_not_named_is_put_away_and_what_stays_is_not_opened_again(shops):
    first, second, third = (family.index for family in shops.families)
    shelf = Shelf(shops.volume)
    assert shelf.hold([first, second])
    kept = shelf.find(second.digest)
    assert shelf.hold([second, third])
    assert set(shelf.held) == {second.digest, third.digest}
    assert shelf.find(second.digest) is kept
    assert {version.version: count for version, count in shelf.rows()} == {2: 12, 3: 20}
    assert shelf.hold([])
    assert not shelf.held


class Loading:
    """A server's side of its load document."""

    def __init__(self, shops, folder):
        self.folder, self.registry = folder, CollectorRegistry()
        self.following = Following("load", Follower(folder / "load.json"), Shelf(shops.volume), IndexNumbers(self.registry, "photos"))

    def told(self, content=None):
        self.digest = write_document(self.folder, "load", content) if content is not None else None
        return self.following.report("unix:/me")


def test_a_worker_is_ready_with_what_it_was_told_to_hold_and_not_before(shops, tmp_path):
    loading = Loading(shops, tmp_path)
    first = loading.told()
    assert (first.ready, first.reason, first.acknowledged) == (False, "there is no load.json yet", {})
    held = loading.told({"load": [entry(shops.first.index)]})
    assert (held.ready, held.reason, held.acknowledged) == (True, "", {"load": loading.digest})
    assert loading.registry.get_sample_value("lykeion_index_rows", {"family": "photos", "version": "1"}) == 12
    empty = loading.told({"load": []})
    assert (empty.ready, empty.acknowledged) == (False, {"load": loading.digest})


def test_what_cannot_be_opened_is_not_acknowledged_and_the_rest_answers(shops, tmp_path):
    loading = Loading(shops, tmp_path)
    gone = ModelVersion("photos", 99, "sha256:none")
    told = loading.told({"load": [entry(shops.first.index), entry(gone)]})
    assert (told.ready, told.acknowledged) == (True, {})
    assert "photos@99" in told.reason


JUNK = [
    [],
    "x",
    7,
    {"load": 3},
    {"load": [3]},
    {"load": [{}]},
    {"load": {"a": 1}},
    {"load": [{"model": "m", "version": "x", "digest": "d"}]},
]


@pytest.mark.parametrize("content", JUNK, ids=repr)
def test_a_document_that_makes_no_sense_is_a_reason_and_what_is_held_goes_on(shops, tmp_path, content):
    loading = Loading(shops, tmp_path)
    loading.told({"load": [entry(shops.first.index)]})
    told = loading.told(content)
    assert (told.ready, told.acknowledged) == (True, {})
    assert "load.json" in told.reason
    mended = loading.told({"load": [entry(shops.first.index)]})
    assert (mended.reason, mended.acknowledged) == ("", {"load": loading.digest})
