"""Index servers and a proxy as an engine runs them: real processes, a real index, real pictures."""

import io
import json
import os
import signal
import socket
import struct
import threading
import zlib
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from lykeion.servers.direct import search
from lykeion.testing.families import draw, entry, write_document, write_family
from lykeion.testing.servers import Crowd, Running, ask, until

LOAD, COVER = "photos-index-load", "photos-cover"
JSON = {"content-type": "application/json"}


class Served:
    """The family `photos`: two index workers, two proxy workers; documents as the controller would write them."""

    def __init__(self, folder, sockets, stack):
        self.volume, self.documents = folder / "volume", folder / "documents"
        self.family = write_family(self.volume)
        common = ("--documents", str(self.documents), "--volume", str(self.volume), "--family", "photos", "--workers", "2")
        self.load(self.family)
        log = folder / "log"
        index = Running("lykeion.servers.index_server", sockets / "i", "--document", LOAD, *common, log=log)
        self.index = stack.enter_context(index)
        self.proxy = stack.enter_context(Running("lykeion.servers.proxy_server", sockets / "p", "--document", COVER, *common, log=log))
        self.grpc = self.index.ready(2)
        self.cover(self.family)
        self.http = self.proxy.ready(2)
        self.log = log

    def load(self, *families):
        return write_document(self.documents, LOAD, {"family": "photos", "load": [entry(one.index) for one in families]})

    def cover(self, family, addresses=None, beside=()):
        """beside: other indexes of the same space, with the addresses that are asked for them."""
        indexes = [{**entry(family.index), "addresses": addresses or self.grpc}]
        indexes += [{**entry(other.index), "addresses": where} for other, where in beside]
        embedding = family.index.metadata["embedding"]
        content = {"family": "photos", "space": entry(family.space), "embedding": embedding, "indexes": indexes}
        return write_document(self.documents, COVER, content)

    def post(self, body, query="", headers=None, worker=0):
        return ask(self.http[worker], f"/v1/search/photos{query}", "POST", body, headers or {"content-type": "image/png"})

    def by(self, query="", worker=0, **question):
        return self.post(json.dumps(question).encode(), query, JSON, worker)

    def still_answers(self):
        """Both sorts of server, with the processes they had."""
        return all(self.by(item="item-00003", worker=worker).status == 200 for worker in (0, 1))


@pytest.fixture(scope="module")
def served():
    with TemporaryDirectory() as folder, TemporaryDirectory() as sockets, ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        trap = Path(folder, "site", "pandas.py")  # which says so when it is imported
        trap.parent.mkdir()
        trap.write_text(f"open({str(trap.with_name('imported'))!r}, 'w')")
        patch.setenv("PYTHONPATH", str(trap.parent), os.pathsep)
        yield Served(Path(folder), Path(sockets), stack)


def test_pandas_which_arrow_would_import_where_it_is_is_in_no_worker(served):
    assert served.by("?filter=price:<50000", item="item-00003").status == 200
    assert os.listdir(served.volume.with_name("site")) == ["pandas.py"]


def test_a_photo_of_an_item_finds_it(served):
    answer = served.post(served.family.pictures["item-00007"], "?k=3").json
    assert answer["items"][0]["id"] == "item-00007"
    assert answer["items"][0]["score"] > 0.999
    assert len(answer["items"]) == 3
    assert set(answer) == {"request_id", "items", "partial", "indexes", "embedding", "took_ms", "next"}
    assert {"id", "score", "title", "category", "price", "status", "picture"} <= set(answer["items"][0])
    assert answer["partial"] is False


def test_a_form_finds_the_same_as_the_bytes(served):
    picture = served.family.pictures["item-00011"]
    body = b'--b\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n' + picture + b"\r\n--b--\r\n"
    form = served.post(body, headers={"content-type": "multipart/form-data; boundary=b"}).json["items"]
    assert form == served.post(picture).json["items"]


def test_more_like_an_item_does_not_show_the_item(served):
    answer = served.by("?k=5", item="item-00007").json
    assert len(answer["items"]) == 5
    assert "item-00007" not in [item["id"] for item in answer["items"]]


def test_a_vector_is_answered_as_a_naive_search_would(served):
    vectors = served.family.vectors
    query = np.random.default_rng(3).standard_normal(vectors.shape[1])
    best = np.argsort(-(vectors @ query))[:10]
    found = served.by("?k=10", vector=query.tolist()).json["items"]
    assert [item["id"] for item in found] == [served.family.ids[place] for place in best]
    assert np.allclose([item["score"] for item in found], (vectors @ (query / np.linalg.norm(query)))[best], atol=2e-3)


def test_filters_all_hold(served):
    answer = served.by("?k=50&filter=category:shoes%7Chats&filter=price:%3C2000", item="item-00000").json
    assert answer["items"]
    assert all(item["category"] in ("shoes", "hats") and item["price"] < 2000 for item in answer["items"])


def test_pages_follow_one_another_without_gap_or_repetition(served):
    whole = [item["id"] for item in served.by("?k=59", item="item-00001").json["items"]]
    seen, token = [], ""
    while token is not None:
        answer = served.by(f"?k=13&next={token}", item="item-00001").json
        seen += [item["id"] for item in answer["items"]]
        token = answer["next"]
    assert seen == whole
    assert len(set(seen)) == 59


def test_the_same_picture_of_several_items_is_shown_once_where_that_is_asked_for(served):
    other = write_family(served.volume, version=6, items=40, seed=3, copies=29)
    served.index.acknowledged(LOAD, served.load(served.family, other))
    served.proxy.acknowledged(COVER, served.cover(other))
    question = {"vector": other.vectors[0].tolist()}
    copies = ["item-00000", *(f"item-{number:05d}" for number in range(11, 40))]
    plain = served.by("?k=30", **question).json["items"]
    assert [item["id"] for item in plain] == copies
    answer = served.by("?k=5&collapse=0.98", **question).json
    first, *others = answer["items"]
    assert [first["id"], *first["duplicates"]] == copies[: len(first["duplicates"]) + 1]
    assert first["duplicates"]
    assert len(others) == 4
    assert not set(copies) & {item["id"] for item in others}
    assert all(item["duplicates"] == [] for item in others)
    rest = served.by(f"?k=5&collapse=0.98&next={answer['next']}", **question).json["items"]
    together = served.by("?k=10&collapse=0.98", **question).json["items"]
    assert [item["id"] for item in together] == [item["id"] for item in answer["items"] + rest]
    direct = search(
        lambda selector: mounted(served, other, selector), "photos", json.dumps(question).encode(), is_json=True, k=5, collapse=0.98
    )
    assert direct["items"] == answer["items"]
    served.proxy.acknowledged(COVER, served.cover(served.family))
    served.index.acknowledged(LOAD, served.load(served.family))


def mounted(served, family, selector):
    found = family.space if selector.startswith("photos-space@sha256:") else family.index
    return found, served.volume / found.path


def test_what_is_served_is_told(served):
    told = ask(served.http[0], "/v1/search/photos").json
    assert told["family"] == "photos"
    assert told["indexes"] == [{"model": "photos", "version": 1, "digest": served.family.index.digest}]
    assert told["dimension"] == 24
    assert told["items"] == 60
    fields = {field.pop("name"): field for field in told["fields"]}
    assert list(fields) == ["category", "status", "price", "updated_at", "title"]
    each = [{"value": category, "items": 20} for category in ("hats", "lamps", "shoes")]
    assert fields["category"] == {"kind": "text", "values": each, "other": 0}
    ranges = fields["price"].pop("ranges")
    assert fields["price"] == {"kind": "number", "least": 0, "most": 5900}
    for part in ranges:
        query = f"?k=60&filter=price:%3E={part['from']}&filter=price:%3C{part['under']}"
        assert len(served.by(query, vector=served.family.vectors[0].tolist()).json["items"]) == part["items"]
    assert fields["title"] == {"kind": "text"}  # every item has another
    described = ask(served.http[0], "/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert "post" in described["paths"]["/v1/search/photos"]


def test_values_are_added_up_over_index_servers_and_not_told_while_one_is_silent(served):
    other = write_family(served.volume, version=5, items=9, seed=7)
    served.index.acknowledged(LOAD, served.load(served.family, other))
    one, two = served.grpc
    served.proxy.acknowledged(COVER, served.cover(served.family, [one], [(other, [two])]))
    told = ask(served.http[0], "/v1/search/photos").json
    assert told["items"] == 69
    assert [one["items"] for one in told["fields"][0]["values"]] == [23, 23, 23]
    served.proxy.acknowledged(COVER, served.cover(served.family, [one], [(other, ["unix:/nowhere/at/all"])]))
    told = ask(served.http[0], "/v1/search/photos").json
    assert {"items", "fields"} & set(told) == set()
    assert len(told["indexes"]) == 2
    served.proxy.acknowledged(COVER, served.cover(served.family))
    served.index.acknowledged(LOAD, served.load(served.family))


def test_without_servers_the_answer_is_the_same(served):
    picture = served.family.pictures["item-00020"]
    asked = served.post(picture, "?k=4&filter=category:lamps").json
    direct = search(lambda selector: mounted(served, served.family, selector), "photos", picture, k=4, filters=["category:lamps"])
    for answer in (asked, direct):
        answer.pop("request_id")
        answer.pop("took_ms")
    assert direct == asked


def test_the_callers_request_id_is_kept(served):
    answer = served.post(b'{"item":"item-00001"}', headers={**JSON, "x-request-id": "mine-1"})
    assert answer.json["request_id"] == "mine-1"


def png(width, height):
    """A PNG that says it is so large, with pixels that do not matter."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def saved(kind, **options):
    target = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), (60, 40), options.pop("colour", 0)).save(target, kind, **options)
    return target.getvalue()


BAD_PICTURES = {
    "nothing": (b"", 400),
    "text": (b"hello", 415),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415),
    "html": (b"<!doctype html><html></html>", 415),
    "pdf": (b"%PDF-1.4\n", 415),
    "zip": (b"PK\x03\x04" + b"\0" * 100, 415),
    "truncated png": (draw(1, size=(400, 400))[:300], 422),
    "truncated jpeg": (draw(1, "JPEG", (400, 400))[:900], 422),
    "only a png's head": (b"\x89PNG\r\n\x1a\n", 415),
    "a bomb": (png(30_000, 30_000), 422),
    "no pixels": (png(0, 0), 415),
    "50 MB": (b"\xff\xd8\xff" + b"\0" * 50_000_000, 413),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_refused_with_a_sentence_and_nobody_dies(served, name):
    body, status = BAD_PICTURES[name]
    before = (served.index.workers(), served.proxy.workers())
    answer = served.post(body, headers={"content-type": "image/jpeg"})
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert len(answer.json["detail"].split()) >= 4
    assert "Traceback" not in answer.body.decode()
    assert served.still_answers()
    assert (served.index.workers(), served.proxy.workers()) == before


GOOD_PICTURES = {
    "grey": saved("PNG", mode="L"),
    "16 bit": saved("PNG", mode="I;16"),
    "palette": saved("PNG", mode="P"),
    "transparent": saved("PNG", mode="RGBA"),
    "cmyk": saved("JPEG", mode="CMYK"),
    "animated": saved("GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), 5)]),
    "webp": saved("WEBP"),
    "one pixel": draw(1, size=(1, 1)),
}


@pytest.mark.parametrize("name", GOOD_PICTURES)
def test_pictures_of_every_sort_are_answered(served, name):
    assert served.post(GOOD_PICTURES[name]).status == 200


BAD_QUESTIONS = {
    "k=0": ("?k=0", {"item": "item-00001"}, 400),
    "huge k": ("?k=100000", {"item": "item-00001"}, 400),
    "no number": ("?k=x", {"item": "item-00001"}, 400),
    "unknown field": ("?filter=colour:red", {"item": "item-00001"}, 400),
    "no filter": ("?filter=shoes", {"item": "item-00001"}, 400),
    "bad number": ("?filter=price:%3Ccheap", {"item": "item-00001"}, 400),
    "no order": ("?filter=category:%3Ca", {"item": "item-00001"}, 400),
    "unknown item": ("", {"item": "nobody"}, 404),
    "item with zero byte": ("", {"item": "a\0b"}, 404),
    "too short": ("", {"vector": [1.0]}, 400),
    "too long": ("", {"vector": [1.0] * 25}, 400),
    "empty": ("", {"vector": []}, 400),
    "zero": ("", {"vector": [0.0] * 24}, 400),
    "too large": ("", {"vector": [1e300] * 24}, 400),
    "both": ("", {"item": "a", "vector": [1.0] * 24}, 400),
    "neither": ("", {}, 400),
}


@pytest.mark.parametrize("name", BAD_QUESTIONS)
def test_a_bad_question_is_refused_with_a_sentence(served, name):
    query, question, status = BAD_QUESTIONS[name]
    answer = served.by(query, **question)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json["detail"].split()) >= 4


def test_nan_is_no_number(served):
    assert served.post(b'{"vector":[NaN' + b",1" * 23 + b"]}", headers=JSON).status == 400


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/v1/search/hats", "POST", 404), ("/x", "GET", 404), ("/v1/search/photos", "DELETE", 405)]
)
def test_what_is_not_there_is_said_so(served, path, method, status):
    answer = ask(served.http[0], path, method, b"{}", JSON)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


def test_metrics_of_all_workers_are_told_together(served):
    def searches():
        return sum(
            float(line.split()[1]) for line in served.proxy.metrics().splitlines() if line.startswith("lykeion_search_requests_total{")
        )

    before = searches()
    for worker in (0, 1, 1):
        served.by(item="item-00002", worker=worker)
    until(lambda: searches() >= before + 3)
    assert 'lykeion_index_rows{family="photos",version="1"} 60.0' in served.index.metrics()


class Load(Crowd):
    """Questions one after the other from several threads; what came back is counted."""

    def __init__(self, served, threads=3):
        super().__init__(threads)
        self.served, self.seen = served, Counter()
        self.lock = threading.Lock()

    def once(self, number):
        self.note(self.answer({"vector": self.served.family.vectors[number].tolist()}, number % 2))

    def answer(self, question, worker):
        try:
            answer = self.served.by("?k=3", worker=worker, **question)
        except OSError as error:
            return type(error).__name__
        if answer.status != 200:
            return f"{answer.status} {answer.json['detail']}"
        return "partial" if answer.json["partial"] else f"version {answer.json['indexes'][0]['version']}"

    def note(self, what):
        with self.lock:
            self.seen[what] += 1

    def more(self, what, count=20):
        start = self.seen[what]
        until(lambda: self.seen[what] >= start + count, what=f"{count} more of {what!r}: {self.seen}")


def test_a_new_version_takes_over_and_no_query_is_lost(served):
    newer = write_family(served.volume, version=2, items=80)
    with Load(served) as load:
        load.more("version 1")
        served.index.acknowledged(LOAD, served.load(served.family, newer))
        served.proxy.acknowledged(COVER, served.cover(newer))
        served.index.acknowledged(LOAD, served.load(newer))
        load.more("version 2")
        served.index.acknowledged(LOAD, served.load(served.family, newer))
        served.proxy.acknowledged(COVER, served.cover(served.family))
        load.more("version 1")
    assert set(load.seen) == {"version 1", "version 2"}


def test_a_new_generation_brings_its_own_eyes_while_the_old_one_answers(served):
    newer = write_family(served.volume, version=3, space=2)
    served.index.acknowledged(LOAD, served.load(served.family, newer))
    with Load(served) as load:
        load.more("version 1")
        served.proxy.acknowledged(COVER, served.cover(newer))
        load.more("version 3")
        answer = served.post(newer.pictures["item-00007"]).json
        assert (answer["items"][0]["id"], answer["embedding"]) == ("item-00007", newer.index.metadata["embedding"])
        served.proxy.acknowledged(COVER, served.cover(served.family))
    assert set(load.seen) == {"version 1", "version 3"}


def test_index_workers_that_are_killed_cost_no_query(served):
    with Load(served) as load:
        for _ in range(3):
            load.more("version 1")
            before = served.index.workers()
            os.kill(before[0], signal.SIGKILL)
            until(lambda before=before: before[0] not in served.index.workers() and len(served.index.workers()) == 2)
            served.index.ready(2)
        load.more("version 1")
    assert set(load.seen) == {"version 1"}


def test_when_all_index_workers_are_killed_at_once_every_query_is_answered_if_only_in_part(served):
    with Load(served) as load:
        load.more("version 1")
        before = served.index.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not set(before) & set(served.index.workers()))
        served.index.ready(2)
        load.more("version 1")
    assert set(load.seen) <= {"version 1", "partial"}


def test_without_index_servers_the_answer_is_partial_soon_and_whole_when_they_are_back(served):
    served.proxy.acknowledged(COVER, served.cover(served.family, ["unix:/nowhere/at/all"]))
    answer = served.by(vector=served.family.vectors[0].tolist()).json
    assert (answer["partial"], answer["items"]) == (True, [])
    assert answer["took_ms"] < 2000
    assert answer["indexes"][0]["answered"] is False
    assert answer["indexes"][0]["reason"]
    assert served.by(item="item-00001").json["partial"] is True
    served.proxy.acknowledged(COVER, served.cover(served.family))
    assert served.by(vector=served.family.vectors[0].tolist()).json["partial"] is False


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/search/photos HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 200_000, 431),
        (b"GET /v1/search/photos HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 200, 431),
        (b"GET /" + b"a" * 200_000, 414),
        (b"POST /v1/search/photos HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc", 415),
        (b"POST /v1/search/photos HTTP/1.1\r\nhost: x\r\ncontent-length: 90000000\r\n\r\n", 413),
        (
            "POST /v1/search/photos?filter=category:röt HTTP/1.1\r\nhost: x\r\ncontent-length: 21\r\n"
            'content-type: application/json\r\nconnection: close\r\n\r\n{"item":"item-00003"}'.encode(),
            200,
        ),
    ],
    ids=["long", "many", "url", "gzip", "body", "utf-8"],
)
def test_a_worker_bounds_what_a_connection_may_take(served, head, status):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(20)
        caller.connect(served.http[0].removeprefix("unix:"))
        with suppress(ConnectionError):
            caller.sendall(head)
        assert caller.recv(1 << 16).split()[1] == str(status).encode()
    assert served.still_answers()


def test_a_killed_proxy_worker_comes_back_and_its_peer_answers_meanwhile(served):
    victim = served.proxy.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in served.proxy.workers())
    assert served.proxy.readiness()["ready"]
    served.proxy.ready(2)
    assert served.still_answers()


def test_a_version_that_cannot_be_opened_is_told_and_the_rest_answers(served):
    broken = write_family(served.volume, version=9)
    (served.volume / broken.index.path / "rows.fp16").write_bytes(b"short")
    served.load(served.family, broken)
    until(lambda: "photos@9" in served.index.readiness()["reason"])
    assert "photos@9" in served.log.read_text()
    assert served.still_answers()
    served.index.acknowledged(LOAD, served.load(served.family))
