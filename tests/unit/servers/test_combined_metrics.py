"""Metrics of several workers as one."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from lykeion.servers.metrics import combined, exposition, lasting, parsed, taken

observations = st.lists(st.tuples(st.sampled_from(["200", "404"]), st.floats(0, 10)), max_size=8)


def worker(seen, rows=0.0):
    registry = CollectorRegistry()
    requests = Counter("requests", "R.", ["code"], registry=registry)
    seconds = Histogram("seconds", "S.", registry=registry, buckets=(0.1, 1.0))
    Gauge("rows", "Held.", registry=registry).set(rows)
    for code, value in seen:
        requests.labels(code).inc()
        seconds.observe(value)
    return parsed(taken(registry))


def values(families):
    return {key: value for family in families for key, value in family.samples.items()}


@given(st.lists(observations, min_size=1, max_size=4))
def test_workers_together_count_what_one_worker_would_have_counted(parts):
    together = values(combined([worker(part) for part in parts]))
    alone = values(worker([one for part in parts for one in part]))
    assert together.keys() == alone.keys()
    assert all(abs(together[key] - alone[key]) < 1e-6 for key in alone)


def test_of_gauges_the_largest_counts():
    assert values(combined([worker([], 5), worker([], 7), worker([], 6)]))[("rows", ())] == 7


def test_what_a_worker_counted_stays_when_it_has_ended_and_how_it_was_does_not():
    ended = values(lasting(worker([("200", 0.5)], 9)))
    assert ended[("requests_total", (("code", "200"),))] == 1
    assert ("rows", ()) not in ended


def test_prometheus_reads_it_and_no_time_of_creation_is_told():
    text = exposition(combined([worker([("200", 0.5)], 3), worker([("404", 5.0)], 3)])).decode()
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["requests"].type == "counter"
    assert sum(sample.value for sample in found["requests"].samples) == 2
    assert [sample.value for sample in found["seconds"].samples if sample.name == "seconds_count"] == [2]
    assert "_created" not in text
