"""What a proxy counts. Families and status codes are labels; ids and texts never are."""

from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class ProxyNumbers:
    def __init__(self, registry: CollectorRegistry, family: str) -> None:
        self.family = family
        self.requests = Counter("lykeion_search_requests", "Requests answered.", ["family", "code"], registry=registry)
        partial = Counter("lykeion_search_partial", "Answers that lack an index.", ["family"], registry=registry)
        seconds = Histogram("lykeion_search_seconds", "From request to answer.", ["family"], registry=registry, buckets=BUCKETS)
        pictures = Histogram(
            "lykeion_search_picture_seconds", "Waiting for and looking at a picture.", ["family"], registry=registry, buckets=BUCKETS
        )
        self.partials, self.seconds, self.pictures = partial.labels(family), seconds.labels(family), pictures.labels(family)

    def answered(self, code: int, seconds: float) -> None:
        self.requests.labels(self.family, str(code)).inc()
        self.seconds.observe(seconds)

    def partial(self) -> None:
        self.partials.inc()

    def looking(self) -> AbstractContextManager[object]:
        return self.pictures.time()
