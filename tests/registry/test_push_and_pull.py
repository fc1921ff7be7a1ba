"""An image goes to a real registry and comes back the same; nothing travels twice."""

import json
import random

import pytest

from lykeion.adapters.images.store import Store
from lykeion.adapters.registry import client
from lykeion.adapters.registry.push import pull, push
from lykeion.core.content import digest_of
from lykeion.core.images.oci import INDEX, TAR, Descriptor, Image, Layer, Settings, artifact, image, index, titled
from lykeion.core.images.references import parse_reference
from lykeion.core.models import layer as model_layer
from lykeion.errors import Conflict, Corrupt, Invalid, NotFound, Unavailable
from lykeion.testing.registries import CNCF, line_to

MEBI = 1 << 20


def an_image(store: Store, *texts: bytes) -> Image:
    layers = [store.add([text], TAR) for text in texts]
    named = [titled(Layer(one, one.digest), "wheels", f"layer {at}") for at, one in enumerate(layers)]
    made = image(named, Settings(labels={"a": "b"}))
    store.put_image(made, "made")
    return made


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_an_image_comes_back_as_it_went(store, registry, server, name, tmp_path):
    made = an_image(store, b"one", noise(3 * MEBI))
    told = push(store, made, registry, parse_reference(f"{server.host}/{name}:7"))
    assert str(told.reference) == f"{server.host}/{name}:7@{made.digest}"
    assert [one.how for one in told.layers] == ["sent", "sent"]
    other = Store(tmp_path / "other")
    for wanted in (f"{server.host}/{name}:7", f"{server.host}/{name}@{made.digest}"):
        back = pull(other, registry, parse_reference(wanted))
        assert back == made
        assert other.image(wanted) == made
    assert b"".join(other.read(made.layers[1].descriptor.digest)) == noise(3 * MEBI)


def test_what_is_there_does_not_travel_again(store, registry, server, name, opened):
    to = parse_reference(f"{server.host}/{name}:7")
    push(store, an_image(store, b"one", noise(MEBI)), registry, to)
    with line_to(server.port) as line:
        near = opened(line.host)
        told = push(store, an_image(store, b"one", noise(MEBI), b"two"), near, to)
        assert [one.how for one in told.layers] == ["there", "there", "sent"]
        assert line.up < 8192


def test_nothing_travels_where_the_tag_names_this_image_already(store, registry, server, name, opened):
    to, made = parse_reference(f"{server.host}/{name}:7"), an_image(store, b"one", noise(MEBI))
    first = push(store, made, registry, to)
    with line_to(server.port) as line:
        again = push(store, made, opened(line.host), to)
        assert again.bytes == 0
        assert line.up < 512  # it was asked what the tag names
    assert again.reference == first.reference
    assert [one.how for one in again.layers] == ["there", "there"]


def test_layers_of_the_tags_image_are_not_asked_for(store, registry, server, name, opened):
    to = parse_reference(f"{server.host}/{name}:7")
    push(store, an_image(store, *[b"%d" % number for number in range(60)]), registry, to)
    changed = an_image(store, *[b"%d" % number for number in range(59)], b"another")
    with line_to(server.port) as line:
        told = push(store, changed, opened(line.host), to)
        assert [one.how for one in told.layers].count("sent") == 1
        assert line.up < told.bytes + 8192  # 60 questions alone would be more
    assert registry.digest(name, "7") == changed.digest


def test_a_layer_of_another_repository_is_mounted_and_does_not_travel(store, registry, server, name, opened):
    made = an_image(store, noise(2 * MEBI))
    push(store, made, registry, parse_reference(f"{server.host}/{name}-a:1"))
    with line_to(server.port) as line:
        for there in ("nowhere", "a"):  # what the store calls so was perhaps never pushed
            store.put_image(made, f"{line.host}/{name}-{there}:1")
        said: list[str] = []
        told = push(store, made, opened(line.host), parse_reference(f"{line.host}/{name}-b:1"), said.append)
        assert [one.how for one in told.layers] == ["mounted"]
        assert said == []
        assert line.up < 8192
    assert registry.has_blob(f"{name}-b", made.layers[0].descriptor.digest)


def test_what_is_sent_says_how_far_it_is(store, registry, server, name, monkeypatch):
    monkeypatch.setattr(client, "CHUNK", 4 * MEBI)
    said: list[str] = []
    push(store, an_image(store, b"small", noise(10 * MEBI)), registry, parse_reference(f"{server.host}/{name}:1"), said.append)
    assert said[0] == "sending layer 0 (0.0 MB)"
    assert [line.partition(" (")[2] for line in said[1:]] == ["10.5 MB)", "4 of 10.5 MB)", "8 of 10.5 MB)"]


def test_a_models_file_is_pushed_from_where_it_lies(store, registry, server, name, tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(noise(MEBI + 5))
    header, trailer = model_layer.header("weights", MEBI + 5), model_layer.trailer(MEBI + 5)
    digest = digest_of(header + file.read_bytes() + trailer)
    store.put_virtual(digest, header, file, len(trailer))
    made = image([Layer(Descriptor(TAR, digest, store.size(digest)), digest)], Settings())
    store.put_image(made)
    push(store, made, registry, parse_reference(f"{server.host}/{name}:1"))
    other = Store(tmp_path / "other")
    pull(other, registry, parse_reference(f"{server.host}/{name}:1"))
    assert b"".join(other.read(digest)) == header + file.read_bytes() + trailer


def test_a_cut_upload_goes_on_where_the_registry_has_it(store, registry, server, name, monkeypatch, opened):
    monkeypatch.setattr(client, "CHUNK", 4 * MEBI)
    data = noise(48 * MEBI)
    made = an_image(store, data)
    with line_to(server.port) as line:
        cuts = []

        def cut(sent: int, connection: int) -> bool:
            if sent > 40 * MEBI and not cuts:
                cuts.append(connection)
                return True
            return False

        line.cut_up = cut
        push(store, made, opened(line.host, pause=lambda _: None), parse_reference(f"{line.host}/{name}:1"))
        assert cuts
        # what is based on distribution 2 drops an upload of which half a chunk arrived
        forgotten = 0 if server.program.endswith(CNCF) else 40
        begun = client.TRIES * 4  # the chunk that was cut travels again, perhaps before the registry has noticed the cut
        assert line.up < (forgotten + 48 + begun) * MEBI
    assert b"".join(registry.blob(name, made.layers[0].descriptor.digest)) == data


def test_a_cut_upload_of_one_piece_is_sent_again(store, registry, server, name, opened):
    made = an_image(store, noise(3 * MEBI))
    with line_to(server.port) as line:
        cuts: list[int] = []
        line.cut_up = lambda sent, connection: sent > MEBI and not cuts and not cuts.append(connection)
        push(store, made, opened(line.host, pause=lambda _: None), parse_reference(f"{line.host}/{name}:1"))
        assert cuts
    assert registry.has_blob(name, made.layers[0].descriptor.digest)


def test_a_cut_download_goes_on_where_it_was(store, registry, server, name, tmp_path, opened):
    data = noise(8 * MEBI)
    made = an_image(store, data)
    push(store, made, registry, parse_reference(f"{server.host}/{name}:1"))
    with line_to(server.port) as line:
        cuts: list[int] = []
        line.cut_down = lambda sent, connection: sent > 3 * MEBI and len(cuts) < 2 and not cuts.append(connection)
        other = Store(tmp_path / "other")
        pull(other, opened(line.host, pause=lambda _: None), parse_reference(f"{line.host}/{name}:1"))
        assert cuts
        assert line.down < 8 * MEBI + 4 * MEBI
    assert b"".join(other.read(made.layers[0].descriptor.digest)) == data


def test_a_line_that_is_always_cut_is_unavailable_after_some_tries(store, server, name, opened):
    with line_to(server.port) as line:
        line.cut_up = lambda _sent, _connection: True
        pauses: list[float] = []
        with pytest.raises(Unavailable, match="the connection was cut"):
            opened(line.host, pause=pauses.append).has_blob(name, digest_of(b"x"))
        assert pauses == [0.25, 0.5, 1.0, 2.0]


def test_bytes_that_are_not_what_the_digest_says_are_refused_by_the_registry(registry, name):
    blob = Descriptor(TAR, digest_of(b"what was meant"), 5)
    with pytest.raises(Corrupt, match="not what its digest says"):
        registry.upload(name, blob, lambda start: iter([b"other"[start:]]))
    assert not registry.has_blob(name, blob.digest)


def test_a_manifest_whose_layer_is_missing_is_refused_with_the_reason(store, registry, name):
    made = an_image(store, b"one")
    with pytest.raises((NotFound, Conflict), match=r"BLOB_UNKNOWN"):
        registry.put_manifest(name, "1", made.manifest)


def test_a_registry_that_damaged_a_blob_is_found_out_and_nothing_is_kept(store, server, registry, name, tmp_path):
    made = an_image(store, noise(MEBI, seed=3))
    push(store, made, registry, parse_reference(f"{server.host}/{name}:1"))
    digest = made.layers[0].descriptor.digest[7:]
    (data,) = (file for file in (server.folder / "blobs").rglob("*") if digest in str(file) and file.stat().st_size == MEBI)
    data.write_bytes(noise(MEBI, seed=2))
    other = Store(tmp_path / "other")
    with pytest.raises(Corrupt, match="try again"):
        pull(other, registry, parse_reference(f"{server.host}/{name}:1"))
    assert not other.has(f"sha256:{digest}")
    assert other.tags() == {}


def test_a_layer_that_was_damaged_here_is_refused_and_pulling_it_again_helps(store, server, registry, name):
    made = an_image(store, b"one", b"two")
    push(store, made, registry, parse_reference(f"{server.host}/{name}:1"))
    blob = store.path(made.layers[1].descriptor.digest)
    blob.chmod(0o644)
    blob.write_bytes(b"tow")
    with pytest.raises(Corrupt, match="build or pull the image again"):
        push(store, made, registry, parse_reference(f"{server.host}/{name}-elsewhere:1"))
    assert registry.digest(f"{name}-elsewhere", "1") is None
    pull(store, registry, parse_reference(f"{server.host}/{name}:1"))
    push(store, made, registry, parse_reference(f"{server.host}/{name}-elsewhere:1"))
    assert registry.digest(f"{name}-elsewhere", "1") == made.digest


def test_another_image_that_is_damaged_here_keeps_none_from_being_pushed(store, server, registry, name):
    bad, good = an_image(store, b"bad"), an_image(store, b"good")
    store.put_image(bad, f"{server.host}/{name}-other:1")
    store.path(bad.digest).unlink()
    told = push(store, good, registry, parse_reference(f"{server.host}/{name}:1"))
    assert [one.how for one in told.layers] == ["sent"]


def test_what_is_not_there_is_not_found(registry, server, name, store):
    assert registry.digest(name, "1") is None
    assert registry.tags(name) == []
    with pytest.raises(NotFound, match="there is no such thing"):
        pull(store, registry, parse_reference(f"{server.host}/{name}:1"))


def test_tags_are_listed_and_moved_and_images_deleted(store, registry, server, name):
    first, second = an_image(store, b"one"), an_image(store, b"two")
    for made, tag in ((first, "1"), (first, "stable"), (second, "2"), (second, "stable")):
        push(store, made, registry, parse_reference(f"{server.host}/{name}:{tag}"))
    assert registry.tags(name) == ["1", "2", "stable"]
    assert registry.digest(name, "stable") == second.digest
    registry.delete(name, first.digest)
    registry.delete(name, first.digest)
    assert registry.digest(name, "1") is None


def test_the_image_of_this_platform_is_taken_from_an_index(store, registry, server, name, tmp_path):
    made = an_image(store, b"amd64")
    push(store, made, registry, parse_reference(f"{server.host}/{name}"))
    entries = [{**made.descriptor.to_json(), "platform": {"architecture": "amd64", "os": "linux"}}]
    registry.put_manifest(name, "many", json.dumps({**json.loads(index([])), "manifests": entries}).encode(), INDEX)
    assert pull(Store(tmp_path / "other"), registry, parse_reference(f"{server.host}/{name}:many")) == made
    entries[0]["platform"] = {"architecture": "s390x", "os": "linux"}
    registry.put_manifest(name, "other", json.dumps({**json.loads(index([])), "manifests": entries}).encode(), INDEX)
    with pytest.raises(Invalid, match="no image for linux/amd64"):
        pull(Store(tmp_path / "third"), registry, parse_reference(f"{server.host}/{name}:other"))


def test_what_speaks_of_an_image_is_found_again_by_its_type(store, registry, server, name):
    """Debian's registry has no list of referrers: there the tag that stands for it is kept."""
    made = an_image(store, b"one")
    push(store, made, registry, parse_reference(f"{server.host}/{name}:1"))
    assert registry.referrers(name, made.digest) == []
    registry.upload(name, Descriptor("application/vnd.oci.empty.v1+json", digest_of(b"{}"), 2), lambda start: iter([b"{}"[start:]]))
    digests = []
    for kind in ("application/vnd.cyclonedx+json", "application/vnd.dev.sigstore.bundle.v0.3+json"):
        data = artifact(kind, [], made.descriptor)
        digests.append(registry.put_manifest(name, digest_of(data), data).digest)
        registry.put_manifest(name, digest_of(data), data)
    assert {one.digest for one in registry.referrers(name, made.digest)} == set(digests)
    assert [one.digest for one in registry.referrers(name, made.digest, "application/vnd.cyclonedx+json")] == digests[:1]


def test_memory_does_not_grow_with_the_blob(store, server, name, opened):
    """A gigabyte and more would go through the same 1 MiB pieces."""
    pieces: list[int] = []

    def read(start: int):
        for _ in range(start, 70 * MEBI, MEBI):
            pieces.append(MEBI)
            yield bytes(MEBI)

    blob = Descriptor(TAR, digest_of(bytes(70 * MEBI)), 70 * MEBI)
    assert opened(server.host).upload(name, blob, read).bytes == 70 * MEBI
    assert max(pieces) == MEBI
