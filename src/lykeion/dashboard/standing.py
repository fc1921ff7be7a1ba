"""How the platform is: alive, ready, its numbers in Prometheus' words, and the description of its API."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lykeion.core.resources import Serving
from lykeion.dashboard.api import state

TEXT = "text/plain; version=0.0.4; charset=utf-8"


STUCK = frozenset({"CrashLoopBackOff", "NoVersion", "NoSpace", "Failed"})  # reasons that need somebody to do something


def verdict(serving: Serving) -> tuple[str, str]:
    """("Ready" | "Failed" | "Waiting", why). Failed: it will not become ready until somebody does something."""
    if serving.status.observed_generation < serving.metadata.generation:
        return "Waiting", "its newest change was not looked at yet"
    ready = next((condition for condition in serving.status.conditions if condition.type == "Ready"), None)
    if ready is None:
        return "Waiting", "it was not looked at yet"
    if ready.status == "True":
        return "Ready", ""
    return "Failed" if ready.reason in STUCK else "Waiting", ready.message or ready.reason


def readiness(servings: Sequence[Serving]) -> dict[str, Any]:
    """`ready`: every Serving is Ready, or Failed with its reason."""
    items = [{"serving": one.name, "state": standing, "reason": why} for one in servings for standing, why in [verdict(one)]]
    return {"ready": all(item["state"] != "Waiting" for item in items), "servings": items}


async def ready(request: Request) -> Response:
    said = readiness([one for one in await state(request).store.list("Serving") if isinstance(one, Serving)])
    return JSONResponse(said, 200 if said["ready"] else 503, None if said["ready"] else {"retry-after": "1"})


async def alive(_: Request) -> Response:
    return JSONResponse({"alive": True})


def combined(texts: Mapping[str, str]) -> str:
    """The metrics of many processes as one text: each sample says with the label `replica` whose it is; a family appears once."""
    families: dict[str, Metric] = {}
    for source, text in sorted(texts.items()):
        for found in text_string_to_metric_families(text):
            family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
            for sample in found.samples:
                labels = sample.labels if not source else {**sample.labels, "replica": source}
                family.add_sample(sample.name, labels, sample.value)
    return generate_latest(Collected(list(families.values()))).decode()


class Collected:
    """Families that were read, in the shape that prometheus_client writes from."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        return self.families


async def metrics(request: Request) -> Response:
    """The gateway's own, and those of every replica that answers within two seconds."""
    at = state(request)
    names = [serving.name for serving in await at.store.list("Serving")]
    services = await asyncio.to_thread(at.context.services, names)
    answers = await asyncio.gather(*(at.gateway.fetch(address, "/metrics") for address in services.values()))
    texts = {name: answer.decode() for name, answer in zip(services, answers, strict=True) if answer is not None}
    texts[""] = generate_latest(at.gateway.numbers.registry).decode()
    return Response(combined(texts), media_type=TEXT)


ROUTES = [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
