"""The gateway between real sockets: what it passes on, and what it does when a worker is no longer there."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from gateway_workers import Place, ask

from lykeion.servers.gateway import KEPT_BODY, LARGEST_BODY, Gateway
from lykeion.testing.servers import until_others

Case = Callable[[Gateway], Awaitable[None]]


def run(place: Place, case: Case, **options: object) -> None:
    async def whole() -> None:
        gateway = Gateway(place.table, **options)  # type: ignore[arg-type]
        try:
            await case(gateway)
        finally:
            await gateway.close()

    asyncio.run(whole())


def test_a_request_reaches_a_worker_whole_and_so_does_its_answer(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [worker.address]), prefix="/v1/search")
        answer = await ask(
            gateway, "/v1/search/a%20b/../x?k=3&filter=a:%3C5", "POST", b"12345", [(b"x-mine", b"yes"), (b"connection", b"close")]
        )
        assert (answer.status, answer.body) == (200, b"w 5")
        assert answer.headers["x-kept"] == "1"
        assert not {"connection", "server"} & set(answer.headers)
        assert worker.seen == [("POST /v1/search/a%20b/../x?k=3&filter=a:%3C5 HTTP/1.1", b"12345")]
        assert "x-mine: yes" in worker.heads[0].lower()
        assert not any(line.startswith(("connection: close", "expect")) for line in worker.heads[0].lower().splitlines())
        await worker.stop()

    run(place, case)


def test_no_worker_ready_is_said_so_and_when_to_come_again(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        place.route(("a", 100, []))
        answer = await ask(gateway)
        assert (answer.status, answer.headers["retry-after"], answer.headers["content-type"]) == (503, "1", "application/problem+json")
        assert answer.json["status"] == 503
        assert "a" in answer.json["detail"]
        assert (await ask(gateway, "/elsewhere")).status == 404

    run(place, case)


def test_a_worker_that_never_was_there_is_passed_over(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [f"unix:{place.folder}/gone", worker.address]))
        for method in ("GET", "POST", "DELETE"):
            assert [(await ask(gateway, method=method, body=b"x")).status for _ in range(2)] == [200, 200]
        await worker.stop()

    run(place, case)


@pytest.mark.parametrize("how", ["drop", "half"])
def test_a_search_whose_worker_died_with_it_is_answered_by_another(place: Place, how: str) -> None:
    async def case(gateway: Gateway) -> None:
        bad, good = await place.worker("bad", how).start(), await place.worker("good").start()
        place.route(("a", 100, [bad.address, good.address]))
        answers = [await ask(gateway, method="POST", body=b"photo") for _ in range(6)]
        assert {(answer.status, answer.body) for answer in answers} == {(200, b"good 5")}
        assert bad.seen
        await bad.stop()
        await good.stop()

    run(place, case)


def test_what_may_have_been_done_is_not_done_twice(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        bad, good = await place.worker("bad", "drop").start(), await place.worker("good").start()
        place.route(("a", 100, [bad.address, good.address]))
        answers = [await ask(gateway, method="POST", body=b"order") for _ in range(4)]
        assert sorted(answer.status for answer in answers) == [200, 200, 502, 502]
        assert len(bad.seen) + len(good.seen) == 4
        await bad.stop()
        await good.stop()

    run(place, case, reads=())


@pytest.mark.parametrize("size", [0, 1, (128 << 10) - 1, 128 << 10, (128 << 10) + 1, 3 << 20])
def test_a_photo_of_any_size_is_sent_again_whole(place: Place, size: int) -> None:
    async def case(gateway: Gateway) -> None:
        bad, good = await place.worker("bad", "drop").start(), await place.worker("good").start()
        place.route(("a", 100, [bad.address, good.address]))
        photo = bytes(range(256)) * (size // 256) + bytes(size % 256)
        for _ in range(2):
            assert (await ask(gateway, method="POST", body=photo)).status == 200
        assert [body for _, body in good.seen] == [photo, photo]
        assert "transfer-encoding" not in good.heads[0].lower()
        await bad.stop()
        await good.stop()

    run(place, case)


def test_a_body_too_long_to_be_kept_passes_through_once(place: Place) -> None:
    pieces = [bytes(1 << 20)] * ((KEPT_BODY >> 20) + 4)

    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [f"unix:{place.folder}/gone", worker.address]))
        for _ in range(2):  # whichever worker is first: nothing had passed when the first was found gone
            assert (await ask(gateway, method="POST", body=list(pieces))).body == f"w {len(pieces) << 20}".encode()
        worker.how = "drop"
        answer = await ask(gateway, method="POST", body=list(pieces))
        assert answer.status == 502
        await worker.stop()

    run(place, case)


def test_a_body_that_nothing_takes_is_refused_before_it_is_read(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [worker.address]))
        answer = await ask(gateway, method="POST", body=[b""], headers=[(b"content-length", str(LARGEST_BODY + 1).encode())])
        assert answer.status == 413
        assert worker.seen == []
        await worker.stop()

    run(place, case)


def test_a_body_that_turns_out_too_long_is_refused(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [worker.address]))
        assert (await ask(gateway, method="POST", body=[bytes(8 << 20)] * ((LARGEST_BODY >> 23) + 1))).status == 413
        await worker.stop()

    run(place, case)


def test_an_answer_in_pieces_comes_in_pieces(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w", "stream").start()
        place.route(("a", 100, [worker.address]))
        answer = await ask(gateway)
        assert (answer.status, answer.body) == (200, b"piece" * 3)
        assert "transfer-encoding" not in answer.headers
        await worker.stop()

    run(place, case)


def test_a_redirect_is_the_callers_to_follow(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w", "redirect").start()
        place.route(("a", 100, [worker.address]))
        answer = await ask(gateway)
        assert (answer.status, answer.headers["location"]) == (302, "http://elsewhere.test/")
        await worker.stop()

    run(place, case)


def test_no_request_is_lost_while_workers_are_replaced_all_the_time(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        workers = [await place.worker("w0").start()]
        place.route(("a", 100, [workers[0].address]))
        statuses: list[int] = []
        done = asyncio.Event()

        async def asking() -> None:
            while not done.is_set():
                statuses.append((await ask(gateway, method="POST", body=b"photo")).status)

        askers = [asyncio.create_task(asking()) for _ in range(8)]
        for number in range(1, 25):  # the old one goes first, only then the table says so: the worst order
            fresh = await place.worker(f"w{number}").start()
            await workers[-1].stop()
            await asyncio.sleep(0.01)
            place.route(("a", 100, [fresh.address]))
            workers.append(fresh)
            seen = len(statuses)
            await until_others(lambda seen=seen: len(statuses) >= seen + 20)
        done.set()
        await asyncio.gather(*askers)
        assert set(statuses) == {200}
        assert len(statuses) > 400
        assert len(gateway.peers) <= 3, "connections to workers that are gone are let go"
        await workers[-1].stop()

    run(place, case)


def test_a_worker_that_comes_back_at_its_address_is_waited_for(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = place.worker("w")
        place.route(("a", 100, [worker.address]))
        asked = asyncio.create_task(ask(gateway, method="POST", body=b"x"))
        await asyncio.sleep(0.2)
        assert not asked.done()
        await worker.start()
        assert (await asked).status == 200
        await worker.stop()

    run(place, case)


def test_patience_has_an_end(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        place.route(("a", 100, [f"unix:{place.folder}/gone"]))
        answer = await ask(gateway)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")

    run(place, case, patience=0.2)


def test_a_broken_table_leaves_the_last_good_one_in_force(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [worker.address]))
        assert (await ask(gateway)).status == 200
        for broken in ("", "[{", '{"a": 1}', "[1]"):
            place.table.write_text(broken)
            assert (await ask(gateway)).status == 200
        place.table.unlink()
        assert (await ask(gateway)).status == 200
        await worker.stop()

    run(place, case)


def test_weights_hold_over_many_requests(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        old, new = await place.worker("old").start(), await place.worker("new").start()
        place.route(("old", 90, [old.address]), ("new", 10, [new.address]))
        for _ in range(200):
            await ask(gateway)
        assert (len(old.seen), len(new.seen)) == (180, 20)
        await old.stop()
        await new.stop()

    run(place, case)


def test_a_services_own_pages_are_fetched_or_found_missing(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        assert await gateway.fetch(worker.address, "/openapi.json") == b"w 0"
        assert await gateway.fetch(f"unix:{place.folder}/gone", "/openapi.json") is None
        worker.how = "drop"
        assert await gateway.fetch(worker.address, "/openapi.json") is None
        await worker.stop()

    run(place, case)


def test_what_was_answered_is_counted(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [f"unix:{place.folder}/gone", worker.address]))
        for _ in range(4):
            await ask(gateway)
        count = gateway.numbers.registry.get_sample_value
        assert count("lykeion_gateway_requests_total", {"route": "a", "code": "200"}) == 4
        assert count("lykeion_gateway_request_seconds_count", {"route": "a"}) == 4
        assert count("lykeion_gateway_retries_total", {"route": "a"}) == 2
        assert count("lykeion_gateway_active_requests") == 0
        await worker.stop()

    run(place, case)


def test_a_caller_who_leaves_while_sending_is_noticed_at_once(place: Place) -> None:
    async def case(gateway: Gateway) -> None:
        worker = await place.worker("w").start()
        place.route(("a", 100, [worker.address]))
        for pieces in ([b"x"], [bytes(KEPT_BODY + 1)]):
            await asyncio.wait_for(ask(gateway, method="POST", body=list(pieces), leaves=True), 5)
        count = gateway.numbers.registry.get_sample_value
        assert count("lykeion_gateway_requests_total", {"route": "a", "code": "499"}) == 2
        assert (await ask(gateway, method="POST", body=b"x")).status == 200
        await worker.stop()

    run(place, case)
