"""A registry may be a proxy's login page, be broken, or lie: whatever it says ends in a sentence, in bounded time, and nothing stays."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from lykeion.adapters.images.store import Store
from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.logins import Login
from lykeion.adapters.registry.push import pull, push
from lykeion.core.content import digest_of
from lykeion.core.images.oci import INDEX, MANIFEST, TAR, Image, Layer, Settings, artifact, image, index
from lykeion.core.images.references import Reference, parse_reference
from lykeion.errors import Conflict, Corrupt, Invalid, LykeionError, NotFound, Unavailable

sys.path.append(str(Path(__file__).parent))
from scripted import Said, Scripted, scripted

TEAM = "team/it"
MEBI = 1 << 20
ENDLESS = 64 * MEBI  # as far as these tests go


@pytest.fixture
def liar() -> Iterator[Scripted]:
    with scripted() as registry:
        yield registry


@pytest.fixture
def registry(liar, opened) -> Registry:
    return opened(liar.host, pause=lambda _: None)


@pytest.fixture
def made(store) -> Image:
    """One layer, "a layer"."""
    blob = store.add([b"a layer"], TAR)
    made = image([Layer(blob, blob.digest)], Settings())
    store.put_image(made)
    return made


def named(liar: Scripted, what: str = ":1") -> Reference:
    return parse_reference(f"{liar.host}/{TEAM}{what}")


def changed(made: Image, **fields: object) -> Image:
    """With other fields of its manifest."""
    return replace(made, manifest=json.dumps({**json.loads(made.manifest), **fields}).encode())


def of_layer(made: Image, **fields: object) -> Image:
    """With other fields of its layer's descriptor."""
    return changed(made, layers=[{**json.loads(made.manifest)["layers"][0], **fields}])


def endless() -> Iterator[bytes]:
    for _ in range(ENDLESS // MEBI):
        yield b"x" * MEBI


@pytest.fixture
def target(tmp_path) -> Store:
    """A store that has nothing, and must still have nothing after a refusal."""
    return Store(tmp_path / "target")


def is_empty(store: Store) -> bool:
    return {key for key, _ in store.files.list("")} <= {"oci-layout", "locks/use"}


# answers that are no registry's -------------------------------------------------------------------------------------------------

NO_DOCUMENTS = {
    "a login page": b"<html><body>Please log in</body></html>",
    "nothing": b"",
    "a list": b"[]",
    "a number": b"7",
    "an empty object": b"{}",
    "other types": b'{"manifests": 7, "tags": 7, "layers": 7, "config": 7}',
    "parts that are none": b'{"manifests": [7, {"digest": 7}], "tags": [{}, 7, "a"], "layers": [7], "config": {"size": Infinity}}',
    "brackets": b"[" * 200_000,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("body", NO_DOCUMENTS.values(), ids=NO_DOCUMENTS)
def test_an_answer_that_is_no_document_is_said_in_a_sentence_whatever_was_asked(liar, registry, store, made, target, body):
    speaks = artifact("application/x", [], made.descriptor)
    asked = {
        "tags": lambda: registry.tags(TEAM),
        "digest": lambda: registry.digest(TEAM, "1"),
        "layers": lambda: registry.layers(TEAM, "1"),
        "referrers": lambda: registry.referrers(TEAM, made.digest),
        "refer": lambda: registry.put_manifest(TEAM, digest_of(speaks), speaks),
        "pull": lambda: pull(target, registry, named(liar)),
        "push": lambda: push(store, made, registry, named(liar)),
    }
    refused: dict[str, str] = {}
    for media_type in (MANIFEST, INDEX):
        liar.says(Said(200, body, {"Content-Type": media_type}), method="GET")
        for what, ask in asked.items():
            try:
                ask()
            except LykeionError as error:
                refused[what] = str(error)
    assert {"layers", "pull"} <= refused.keys()
    assert max(map(len, refused.values())) < 2000  # not the whole of it
    assert is_empty(target)


def test_an_index_whose_type_has_parameters_is_an_index(liar, registry, made, target):
    """As proxies write them that know the type of all that they pass on."""
    liar.holds(made, b"a layer")
    entries = [{**made.descriptor.to_json(), "platform": {"architecture": "amd64", "os": "linux"}}]
    many = json.dumps({**json.loads(index([])), "manifests": entries}).encode()
    liar.manifests["many"] = (f"{INDEX}; charset=utf-8", many)
    assert pull(target, registry, named(liar, ":many")) == made


def test_an_upload_that_is_nowhere_is_said(liar, registry, store, made):
    for where in ({}, {"Location": "http://[nowhere"}):
        liar.says(Said(202, headers=where), method="POST")
        with pytest.raises(Unavailable, match="is it a registry"):
            push(store, made, registry, named(liar))


def test_a_redirect_to_nowhere_and_one_in_a_circle_end(liar, registry):
    liar.says(Said(307, headers={"Location": "http://[nowhere"}), path="blobs")
    with pytest.raises(Unavailable, match="is it a registry"):
        registry.has_blob(TEAM, digest_of(b"x"))
    liar.says(Said(307, headers={"Location": "/v2/team/it/blobs/again"}), path="blobs")
    with pytest.raises(Unavailable, match="an answer that no registry gives"):
        registry.has_blob(TEAM, digest_of(b"x"))
    assert len(liar.asked) < 20


def test_pages_of_tags_that_lead_in_a_circle_end(liar, registry):
    liar.says(Said(200, b'{"tags": ["a", "b"]}', {"Link": '</v2/team/it/tags/list>; rel="next"'}), path="tags")
    assert registry.tags(TEAM) == ["a", "b"]


def test_a_digest_of_a_tag_that_is_none_is_asked_for_with_the_manifest(liar, registry, made):
    liar.holds(made)
    liar.says(Said(200, headers={"Docker-Content-Digest": "../../etc/passwd"}), method="HEAD", path="manifests")
    assert registry.digest(TEAM, "1") == made.digest


def test_a_proxy_that_changes_a_manifest_is_found_out(liar, registry, store, made):
    liar.says(Said(201, headers={"Docker-Content-Digest": digest_of(b"another")}), method="PUT", path="manifests")
    with pytest.raises(Corrupt, match="a proxy before it changes what is sent"):
        push(store, made, registry, named(liar))


# lies about bytes ---------------------------------------------------------------------------------------------------------------


def test_a_blob_without_an_end_is_broken_off_and_nothing_of_it_stays(liar, registry, made, target):
    liar.holds(made)
    liar.says(Said(200, endless()), path=f"blobs/{made.layers[0].descriptor.digest}")
    with pytest.raises(Corrupt, match="more than the 7 bytes"):
        pull(target, registry, named(liar))
    assert liar.sent < ENDLESS // 2
    assert not target.has(made.layers[0].descriptor.digest)
    assert target.tags() == {}


@pytest.mark.parametrize("what", ["manifests", "tags", "referrers"])
def test_a_document_without_an_end_is_broken_off(liar, registry, made, what):
    liar.says(Said(200, endless()), path=what)
    ask = {"manifests": registry.layers, "tags": lambda *_: registry.tags(TEAM), "referrers": registry.referrers}[what]
    with pytest.raises(Unavailable, match="more than 4 MiB"):
        ask(TEAM, made.digest)
    assert liar.sent < ENDLESS // 2


def test_a_refusal_without_an_end_is_broken_off(liar, registry, made):
    liar.says(Said(403, endless()), path="manifests")
    with pytest.raises(Invalid, match="may not do this"):
        registry.layers(TEAM, made.digest)
    assert liar.sent < ENDLESS // 2


@pytest.mark.parametrize("sent", [b"", b"a laye", b"a layes", b"a layer and more"])
def test_other_bytes_than_the_digest_says_are_never_kept(liar, registry, made, target, sent):
    liar.holds(made)
    liar.says(Said(200, sent), path=f"blobs/{made.layers[0].descriptor.digest}")
    with pytest.raises(Corrupt, match=f"{liar.host} sent"):
        pull(target, registry, named(liar))
    assert not target.has(made.layers[0].descriptor.digest)


@pytest.mark.parametrize("digest", ["sha256:../../../../outside", "sha256:" + "A" * 64, "sha512:" + "0" * 128, "../../x", "", "sha256:0"])
def test_a_layer_whose_digest_is_none_is_refused_before_anything_is_asked_for_it(liar, registry, made, target, digest):
    told = of_layer(made, digest=digest)
    liar.holds(told)
    with pytest.raises(Corrupt, match="is no digest"):
        pull(target, registry, named(liar))
    assert is_empty(target)
    assert liar.asked == [("GET", "manifests/1")]


def test_an_index_leads_to_manifests_by_digest_alone(liar, registry, made, target):
    """Else what a digest names could become something else."""
    liar.holds(made, b"a layer")
    entries = [{**made.descriptor.to_json(), "digest": "1", "platform": {"architecture": "amd64", "os": "linux"}}]
    many = json.dumps({**json.loads(index([])), "manifests": entries}).encode()
    liar.manifests[digest_of(many)] = (INDEX, many)
    with pytest.raises(Corrupt, match="is no digest"):
        pull(target, registry, named(liar, f"@{digest_of(many)}"))
    assert is_empty(target)


def test_a_layer_of_another_size_than_its_manifest_says_is_refused(liar, registry, made, target):
    for size in (6, 8, 1 << 50, 0, -1):
        liar.holds(of_layer(made, size=size), b"a layer")
        with pytest.raises(Corrupt):
            pull(target, registry, named(liar))
    assert target.tags() == {}


def test_a_tag_that_moves_while_it_is_pulled_gives_one_image_or_the_other(liar, registry, store, made, target):
    """The manifest is asked for once: config and layers are those that it names, whatever the tag names by now."""
    blob = store.add([b"another layer"], TAR)
    other = image([Layer(blob, blob.digest)], Settings())
    liar.holds(made, b"a layer")

    def moved(method: str, path: str) -> Said | None:
        if path.startswith("blobs/"):
            liar.holds(other, b"another layer")
        return None

    liar.instead = moved
    assert pull(target, registry, named(liar)) == made
    assert pull(target, registry, named(liar)) == other
    assert target.image(made.digest) == made


# refusals -----------------------------------------------------------------------------------------------------------------------

REFUSALS = {
    400: (Conflict, r"it is refused \(400\)"),
    401: (Invalid, r"who asks as nobody is not let in \(401\).*log in: docker login HOST"),
    403: (Invalid, r"who asks as nobody may not do this \(403\).*log in: docker login HOST"),
    404: (NotFound, "there is no such thing there"),
    405: (Conflict, r"it is refused \(405\)"),
    409: (Conflict, r"it is refused \(409\)"),
    413: (Conflict, r"it is refused \(413\)"),
    418: (Unavailable, r"an answer that no registry gives \(418\).*is HOST one"),
    429: (Unavailable, r"it asks for fewer requests \(429\).*try again later, or log in for a higher limit"),
    500: (Unavailable, r"the registry failed \(500\).*try again later"),
    503: (Unavailable, r"the registry failed \(503\).*try again later"),
}
BODIES = {
    "its own words": (b'{"errors": [{"code": "NOPE", "message": "not today"}]}', "NOPE not today"),
    "a page": (b"<html>502</html>", ""),
    "no errors": (b'{"errors": []}', ""),
    "brackets": (b"[" * 60_000, ""),
}


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_a_refusal_says_where_what_was_asked_why_and_what_to_do(liar, registry, status, body, words):
    liar.says(Said(status, body))
    kind, told = REFUSALS[status]
    with pytest.raises(kind, match=told.replace("HOST", liar.host)) as refusal:
        registry.layers(TEAM, "1")
    assert liar.host in str(refusal.value)
    assert words in str(refusal.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "blobs"), ("POST", "blobs/uploads"), ("PUT", "blobs/uploads"), ("PUT", "manifests")], ids=lambda one: one
)
def test_a_push_that_is_refused_anywhere_moves_no_tag(liar, registry, store, made, status, method, path):
    liar.says(Said(status), method=method, path=path)
    if (method, status) == ("HEAD", 404):  # it is not there: that is no refusal
        assert push(store, made, registry, named(liar)).bytes
        return
    with pytest.raises(LykeionError, match=liar.host):
        push(store, made, registry, named(liar))
    tagged = [(method, path) for method, path in liar.asked if (method, path) == ("PUT", "manifests/1")]
    assert not tagged or path == "manifests"


def test_a_registry_that_deletes_nothing_says_what_to_do(liar, registry, made):
    liar.says(Said(405), method="DELETE")
    with pytest.raises(Unavailable, match="does not let images be deleted; allow it there"):
        registry.delete(TEAM, made.digest)


# tokens -------------------------------------------------------------------------------------------------------------------------


def asks_for_tokens(liar: Scripted, token: Said) -> None:
    """Whatever is asked of it wants a token, from its own token server, which gives this."""
    challenge = f'Bearer realm="http://{liar.host}/v2/team/it/token",service="it"'
    liar.instead = lambda _, path: token if path == "token" else Said(401, headers={"WWW-Authenticate": challenge})


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"", b"[]", b"{}", b"7", b'{"token": null}', b"[" * 60_000])
@pytest.mark.parametrize(
    "login", [None, Login(user="me", secret="s3cret"), Login(token="t0ken")], ids=["nobody", "a user", "an identity token"]
)
def test_a_token_server_that_gives_no_token_is_named(liar, opened, login, body):
    asks_for_tokens(liar, Said(200, body))
    with pytest.raises(Unavailable, match=r"its token server at .* gives no token; is it a registry") as refused:
        opened(liar.host, login, pause=lambda _: None).tags(TEAM)
    assert "s3cret" not in str(refused.value)
    assert "t0ken" not in str(refused.value)
    assert ("POST" if login and login.token else "GET", "token") in liar.asked


def test_a_token_that_lets_nobody_in_is_tried_once(liar, opened):
    asks_for_tokens(liar, Said(200, b'{"access_token": "T"}'))
    with pytest.raises(Invalid, match=r"who asks as the owner of a token, from the caller is not let in \(401\)"):
        opened(liar.host, Login(token="t0ken"), pause=lambda _: None).tags(TEAM)
    assert liar.asked == [("GET", "tags/list"), ("POST", "token"), ("GET", "tags/list")]


def test_an_identity_token_is_exchanged_for_what_is_done(liar, opened):
    asks_for_tokens(liar, Said(200, b"{}"))
    with pytest.raises(Unavailable):
        opened(liar.host, Login(token="t0ken"), pause=lambda _: None).tags(TEAM)
    assert dict(parse_qsl(liar.told.decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "t0ken",
        "client_id": "lykeion",
        "service": "it",
        "scope": "repository:team/it:pull",
    }


@pytest.mark.parametrize(("status", "kind"), [(401, Invalid), (403, Invalid), (404, Invalid), (429, Unavailable), (500, Unavailable)])
def test_a_token_server_that_refuses_is_named_with_what_it_answers(liar, opened, status, kind):
    asks_for_tokens(liar, Said(status))
    with pytest.raises(kind, match=rf"its token server at {liar.host} answers {status}"):
        opened(liar.host, Login(user="me", secret="s3cret"), pause=lambda _: None).tags(TEAM)
    assert liar.asked.count(("GET", "token")) == 1
