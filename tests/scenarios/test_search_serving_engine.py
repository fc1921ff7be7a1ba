"""A family under the real controller and the real engine: published, served, replaced, rolled back."""

import json
import threading
from collections import Counter
from tempfile import TemporaryDirectory

import pytest

from lykeion import assembly
from lykeion.daemons.servings import wanted
from lykeion.testing.families import write_family
from lykeion.testing.servers import ask, until


class Platform:
    """The controller and the services of one home; `run` turns its loop until something holds."""

    def __init__(self, home):
        self.platform = assembly.local(str(home))
        self.engine = assembly.children(self.platform, None, True)
        self.loop = assembly.servings(self.platform, self.engine)
        self.made = self.platform.home.root / "made"

    def publish(self, version, *, space=1, deploy=True):
        family = write_family(self.made, version, space=space)
        repository = self.platform.repository
        repository.publish("photos-space", self.made / family.space.path)
        deployed = {"serving": "photos", "track": "stable"} if deploy else None
        metadata = dict(family.index.metadata)
        manifest = repository.publish("photos", self.made / family.index.path, metadata=metadata, deploy=deployed)
        assert manifest.digest == family.index.digest
        return family, manifest.version

    def move(self, version):
        self.platform.repository.move_alias("photos", "stable", version)

    def turn(self):
        self.engine.wait(min(self.loop.pass_(), 0.1))

    def run(self, holds, seconds=60):
        def turned():
            self.turn()
            return holds()

        return until(turned, seconds, f"what was waited for; Servings: {self.conditions()}")

    def conditions(self):
        return {one.name: [c.model_dump() for c in one.status.conditions] for one in self.platform.resources.list("Serving")}

    def serving(self, name="photos"):
        return next((one for one in self.platform.resources.list("Serving") if one.name == name), None)

    def serves(self, version, name="photos"):
        """Nothing but this version, and nothing under way."""
        found = self.serving(name)
        conditions = found.status.conditions if found else ()
        return bool(conditions) and conditions[0].reason == "Serving" and found.status.serving == (f"photos@{version}",)

    def addresses(self):
        (route,) = json.loads(self.platform.home.routes.read_bytes())
        assert route["prefix"] == "/v1/search/photos"
        return route["targets"][0]["addresses"]

    def search(self, picture):
        return ask(self.addresses()[0], "/v1/search/photos?k=3", "POST", picture, {"content-type": "image/png"})

    def close(self):
        self.engine.close()


@pytest.fixture
def platform():
    with TemporaryDirectory() as home:
        made = Platform(home)
        yield made
        made.close()


class Shopper(threading.Thread):
    """Asks without pause at whatever the table of routes says; counts which version answered."""

    def __init__(self, platform, picture):
        super().__init__()
        self.platform, self.picture = platform, picture
        self.over = threading.Event()
        self.seen = Counter()

    def run(self):
        while not self.over.is_set():
            answer = self.platform.search(self.picture)
            said = answer.json
            whole = answer.status == 200 and not said["partial"] and said["items"]
            self.seen[said["indexes"][0]["version"] if whole else f"{answer.status} {said}"] += 1


def test_a_published_version_is_served_and_the_next_one_takes_over_while_shoppers_ask(platform):
    first, one = platform.publish(1)
    platform.move(one)
    platform.run(lambda: platform.serves(one) and platform.serves(one, "photos-index"))
    answer = platform.search(first.pictures["item-00004"]).json
    assert answer["items"][0]["id"] == "item-00004"

    shopper = Shopper(platform, first.pictures["item-00004"])
    shopper.start()
    _, two = platform.publish(2, space=2)  # a new generation: other eyes too
    platform.move(two)
    platform.run(lambda: platform.serves(two) and platform.serves(two, "photos-index") and shopper.seen[two] > 10)
    platform.move(one)
    before = shopper.seen[one]
    platform.run(lambda: platform.serves(one) and platform.serves(one, "photos-index") and shopper.seen[one] > before + 10)
    shopper.over.set()
    shopper.join(20)
    assert set(shopper.seen) == {one, two}
    held = json.loads((platform.platform.home.documents / "photos-index-load.json").read_bytes())
    assert [entry["version"] for entry in held["load"]] == [one]


def test_a_family_comes_back_after_the_platform_was_away(platform):
    family, one = platform.publish(1)
    platform.move(one)
    platform.run(lambda: platform.serves(one))
    platform.engine.close()
    platform.engine = assembly.children(platform.platform, None, True)
    platform.loop = assembly.servings(platform.platform, platform.engine)
    platform.run(lambda: platform.serves(one) and platform.serves(one, "photos-index"))
    assert platform.search(family.pictures["item-00009"]).json["items"][0]["id"] == "item-00009"


def test_a_serving_without_a_version_says_what_to_do(platform):
    platform.publish(1)
    for serving in wanted("photos", "stable"):
        platform.platform.resources.create(serving)
    platform.run(lambda: platform.serving() and platform.serving().status.conditions)
    (condition,) = platform.serving().status.conditions
    assert (condition.status, condition.reason) == ("False", "NoVersion")
    assert "lykeion models alias photos stable" in condition.message
