"""A home with something of everything in it: a catalogue with pictures, trainings in every phase, models with a history."""

import json
import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from lykeion.assembly import Platform
from lykeion.core.images.records import ImageRecord, LayerRecord
from lykeion.core.resources import Condition, Pipeline, Published, Serving, ServingStatus, StepStatus, Training, TrainingStatus
from lykeion.core.values import Event, Ref

NAMES = {
    "bags": ["Canvas tote", "Leather satchel", "Weekend duffel"],
    "ceramics": ["Stoneware bowl", "Glazed vase", "Tea cup, speckled"],
    "lamps": ["Reading lamp", "Paper lantern", "Brass wall light"],
    "shoes": ["Running shoes", "Suede loafers", "Rain boots"],
    "toys": ["Wooden train", "Stacking rings", "Plush rabbit"],
}
COLOURS = ["#e4572e", "#17bebb", "#ffc914", "#2e282a", "#76b041", "#5b5f97", "#b8336a", "#3d5a80", "#8d6a9f"]
STEPS = ["items", "pictures", "features", "space", "index", "report"]


def draw(category: str, number: int) -> bytes:
    """A small picture that belongs to its category: one shape, in colours of its own."""
    chance = random.Random(f"{category}{number}")
    picture = Image.new("RGB", (420, 420), "#ffffff")
    pen = ImageDraw.Draw(picture)
    one, other = chance.sample(COLOURS, 2)
    x, y, r = chance.randint(180, 240), chance.randint(190, 230), chance.randint(95, 140)
    if category == "bags":
        pen.arc((x - r // 2, y - r - 40, x + r // 2, y + 10), 180, 360, fill=other, width=16)
        pen.rounded_rectangle((x - r, y - r // 2, x + r, y + r), 26, fill=one)
        pen.rectangle((x - r, y, x + r, y + 18), fill=other)
    elif category == "ceramics":
        pen.pieslice((x - r, y - r, x + r, y + r), 0, 180, fill=one)
        pen.ellipse((x - r, y - 26, x + r, y + 26), fill=other)
        pen.rectangle((x - r // 3, y + r - 8, x + r // 3, y + r + 16), fill=one)
    elif category == "lamps":
        pen.polygon([(x - r // 2, y - r), (x + r // 2, y - r), (x + r, y + 10), (x - r, y + 10)], fill=one)
        pen.rectangle((x - 8, y + 10, x + 8, y + r), fill=other)
        pen.ellipse((x - r // 2, y + r - 14, x + r // 2, y + r + 18), fill=other)
    elif category == "shoes":
        pen.rounded_rectangle((x - r, y - r // 2, x - r // 4, y + r // 2), 22, fill=one)
        pen.rounded_rectangle((x - r, y, x + r, y + r // 2), 34, fill=one)
        pen.rounded_rectangle((x - r - 6, y + r // 2 - 14, x + r + 10, y + r // 2 + 16), 14, fill=other)
    else:
        for ring in range(4):
            half, top = r - ring * 22, y + r - 44 - ring * 46
            pen.rounded_rectangle((x - half, top, x + half, top + 40), 20, fill=one if ring % 2 else other)
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def items(cache: Path, count: int = 60) -> list[dict[str, Any]]:
    """Writes the pictures where the platform keeps them; returns the items as a search answers them, without scores."""
    found = []
    for number in range(count):
        category = sorted(NAMES)[number % len(NAMES)]
        data = draw(category, number)
        digest = sha256(data).hexdigest()
        path = cache / "pictures" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        chance = random.Random(number)
        found.append(
            {
                "id": f"m{1000 + number}",
                "title": f"{chance.choice(NAMES[category])} no. {number + 1}",
                "category": category,
                "price": None if number == 7 else chance.randint(4, 180) * 10 / 4,
                "status": "sold_out" if number % 11 == 3 else "on_sale",
                "picture": f"/v1/pictures/{digest}",
            }
        )
    return found


def step(name: str, phase: str, begin: datetime, after: float, took: float | None, **more: Any) -> StepStatus:
    started = None if phase in ("Waiting", "Skipped") else begin + timedelta(seconds=after)
    finished = started + timedelta(seconds=took) if started and took is not None else None
    key = sha256(name.encode()).hexdigest()
    return StepStatus(name=name, phase=phase, started_at=started, finished_at=finished, key=key, attempts=1, **more)  # type: ignore[arg-type]


def run(platform: Platform, name: str, status: TrainingStatus) -> None:
    made = platform.resources.create(
        Training.model_validate(
            {"metadata": {"name": name}, "spec": {"pipelineRef": {"name": "photo-search"}, "parameters": {"listings": "catalogue.csv"}}}
        )
    )
    platform.resources.write_status(made.model_copy(update={"status": status}))


def fill_trainings(platform: Platform, now: datetime, spec: Any) -> None:
    hour = timedelta(hours=1)
    first = now - 26 * hour
    cold = [
        step("items", "Succeeded", first, 0, 0.8, cache="miss", why="no earlier run", metrics={"items": 6900, "quarantined": 3}),
        step("pictures", "Succeeded", first, 1, 21, cache="miss", why="no earlier run", metrics={"pictures": 6897}, cpu_seconds=38),
        step("features", "Succeeded", first, 22, 96, cache="miss", why="no earlier run", metrics={"features": 6897}, cpu_seconds=181),
        step("space", "Succeeded", first, 118, 9, cache="miss", why="no earlier run"),
        step("index", "Succeeded", first, 127, 4, cache="miss", why="no earlier run", metrics={"rows": 6897}),
        step("report", "Succeeded", first, 131, 6, cache="miss", why="no earlier run", metrics={"recall_at_10": 0.991}),
    ]
    published = (
        Published(output="space.space", model="photos-space", version=1, moved="stable"),
        Published(output="index.index", model="photos", version=1, moved="stable"),
    )
    ended = {"pipeline": spec, "started_at": first, "published": published}
    run(
        platform,
        "photo-search-1",
        TrainingStatus(phase="Succeeded", finished_at=first + timedelta(seconds=137), steps=tuple(cold), **ended),
    )
    second = now - 3 * hour
    failed = [
        step("items", "Succeeded", second, 0, 0.7, cache="miss", why="the fingerprint differs: catalogue.csv"),
        step(
            "pictures",
            "Failed",
            second,
            1,
            4,
            cache="miss",
            why="the input items differs",
            reason="Error",
            message="No space left on device: cache/pictures",
        ),
        *(step(name, "Skipped", second, 0, None, message="a step before it failed") for name in STEPS[2:]),
    ]
    condition = Condition(
        type="Succeeded", status="False", reason="Error", message="step pictures: No space left on device: cache/pictures"
    )
    run(
        platform,
        "photo-search-2",
        TrainingStatus(
            phase="Failed",
            pipeline=spec,
            started_at=second,
            finished_at=second + timedelta(seconds=5),
            steps=tuple(failed),
            conditions=(condition,),
        ),
    )
    third = now - timedelta(seconds=48)
    running = [
        step("items", "Cached", third, 0, 0.02, cache="hit", metrics={"items": 7032}),
        step("pictures", "Succeeded", third, 0.1, 9, cache="miss", why="the input items differs", metrics={"pictures": 7029}),
        step(
            "features", "Running", third, 9.2, None, cache="miss", why="the input pictures differs", done=4212, total=7029, unit="pictures"
        ),
        *(step(name, "Waiting", third, 0, None) for name in STEPS[3:]),
    ]
    run(platform, "photo-search-3", TrainingStatus(phase="Running", pipeline=spec, started_at=third, steps=tuple(running)))
    log = platform.home.logs / "photo-search-3" / "features.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(f"part-{n:05d}: 110 pictures, 109 from the cache\n" for n in range(38)))
    platform.resources.record(
        Event(Ref("Training", "photo-search-3"), "Normal", "Planned", "6 steps, 1 from the cache"), now - timedelta(seconds=48)
    )
    platform.resources.record(Event(Ref("Training", "photo-search-3"), "Normal", "StepSucceeded", "pictures: 7029 pictures in 9.0 s"), now)


def layer(kind: str, title: str, size: int, how: str = "there") -> LayerRecord:
    return LayerRecord(kind, title, f"sha256:{sha256(f'{kind} {title}'.encode()).hexdigest()}", size, how)


def fill_images(platform: Platform) -> None:
    """One image that shares most with the one before, one that failed, one that is waited for."""
    below = (
        layer("base", "Debian bookworm, Python 3.11.2, 39 packages", 21_000_000),
        layer("wheel", "onnxruntime 1.32.0", 28_200_000),
        layer("wheel", "pyarrow 26.0.1", 52_500_000),
        layer("wheels", "10 wheels: attrs, …", 4_000_000),
        layer("platform", "lykeion 0.1.0", 1_260_000),
    )
    for number in (1, 2):
        digest = f"sha256:{sha256(str(number).encode()).hexdigest()}"
        layers = (*below, layer("model", f"rows.fp16 of {number}", 7_000_000 * number, "sent"))
        reference = f"registry.example:5000/team/photos:{number}@{digest}"
        record = ImageRecord("pushed", datetime.now(UTC), reference, digest, layers, 7_000_000 * number, 1.4, "0.1.0")
        platform.repository.record_image("photos", number, record)
    why = "registry.example:5000: nobody answers there (Connection refused); is the registry running, and the name right?"
    platform.repository.record_image("photos", 3, ImageRecord("failed", datetime.now(UTC), reason=why, tries=3))
    log = platform.home.logs / "services" / "image-builder-0.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("2026-11-20 10:00:00 photos@3: building\n")


def fill_models(platform: Platform, folder: Path) -> None:
    for number, recall in enumerate((0.962, 0.984, 0.991), 1):
        content = folder / f"index-{number}"
        content.mkdir(parents=True)
        (content / "index.json").write_text(json.dumps({"generation": number}))
        (content / "rows.fp16").write_bytes(bytes(4096 * number))
        platform.repository.publish(
            "photos", content, metrics={"recall_at_10": recall, "rows": 6800 + number * 70}, lineage={"training": f"photo-search-{number}"}
        )
        platform.repository.move_alias("photos", "stable", number, f"published by photo-search-{number}")
    platform.repository.publish("photos-space", folder / "index-1", metrics={"explained": 0.87})
    platform.repository.move_alias("photos-space", "stable", 1, "first")


def make_home(platform: Platform, pipeline: Pipeline, scratch: Path) -> list[dict[str, Any]]:
    """Fills a home; returns the catalogue."""
    now = datetime.now(UTC)
    platform.resources.apply(pipeline)
    fill_trainings(platform, now, pipeline.spec)
    fill_models(platform, scratch)
    fill_images(platform)
    ready = Condition(type="Ready", status="True", reason="Serving", message="answers at /v1/search/photos")
    for name, spec in (("photos-index", {"index": {"family": "photos"}}), ("photos", {"search": {"family": "photos"}, "workers": 2})):
        made = platform.resources.apply(Serving.model_validate({"metadata": {"name": name}, "spec": spec}))
        url = "/v1/search/photos" if name == "photos" else ""
        status = ServingStatus(
            observed_generation=1, conditions=(ready,), url=url, serving=("photos@3",), ready_workers=spec.get("workers", 1)
        )
        platform.resources.write_status(made.model_copy(update={"status": status}))
    return items(platform.home.cache)
