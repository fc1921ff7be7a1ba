"""Behind the search: trainings, models, servings, pipelines, in a real browser."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser_site import Site, make_training
from playwright.sync_api import Browser, Page, expect

from lykeion.core.images.records import ImageRecord
from lykeion.core.resources import Published, StepStatus, Training, TrainingStatus

pytestmark = pytest.mark.browser
PAGES = [
    "/",
    "/trainings",
    "/trainings/photo-search-1",
    "/trainings/photo-search-2",
    "/models",
    "/models/photos",
    "/servings",
    "/pipelines",
    "/docs",
]


def change(site: Site, training: Training, **fields: object) -> Training:
    latest = site.platform.resources.get("Training", training.name)
    kept = site.platform.resources.write_status(latest.model_copy(update={"status": latest.status.model_copy(update=fields)}))
    assert isinstance(kept, Training)
    return kept


def test_trainings_show_state_steps_and_cache(page: Page) -> None:
    page.goto("/trainings")
    row = page.get_by_role("row").filter(has_text="photo-search-1")
    expect(row).to_contain_text("Succeeded")
    expect(row).to_contain_text("6 of 6")
    failed = page.get_by_role("row").filter(has_text="photo-search-2")
    expect(failed).to_contain_text("Failed")
    expect(failed).to_contain_text("1 of 6")
    expect(page.get_by_role("navigation").get_by_role("link", name="Trainings")).to_have_attribute("aria-current", "page")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="photo-search-1")).to_be_visible()


def test_a_training_is_watched_as_it_goes(page: Page, site: Site) -> None:
    training = make_training(
        site, "live-1", TrainingStatus(phase="Running", steps=(StepStatus(name="work", phase="Running", done=1, total=10, unit="items"),))
    )
    page.goto("/trainings/live-1")
    step = page.locator(".step[data-step=work]")
    expect(step).to_contain_text("1 of 10 items")
    page.evaluate("window.notReloaded = true")
    change(site, training, steps=(StepStatus(name="work", phase="Running", done=7, total=10, unit="items"),))
    expect(step).to_contain_text("7 of 10 items")
    expect(step.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "70")
    change(site, training, phase="Succeeded", steps=(StepStatus(name="work", phase="Succeeded", cache="miss", why="the code differs"),))
    expect(page.locator(".heading")).to_contain_text("Succeeded")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    assert page.evaluate("window.notReloaded")


def test_a_log_grows_while_it_is_read(page: Page, site: Site) -> None:
    training = make_training(site, "live-2", TrainingStatus(phase="Running", steps=(StepStatus(name="work", phase="Running"),)))
    path = site.platform.home.logs / "live-2" / "work.log"
    path.parent.mkdir(parents=True)
    path.write_text("first line\n")
    page.goto("/trainings/live-2")
    page.locator(".step[data-step=work] summary").click()
    log = page.get_by_label("Log of work")
    expect(log).to_contain_text("first line")
    with path.open("a") as file:
        file.write("<b>second</b> line\n")
    expect(log).to_contain_text("<b>second</b> line")
    change(site, training, phase="Succeeded", steps=(StepStatus(name="work", phase="Succeeded"),))


def test_the_step_that_failed_is_open_with_its_error_first(page: Page) -> None:
    page.goto("/trainings/photo-search-2")
    expect(page.get_by_role("alert")).to_contain_text("No space left on device")
    failed = page.locator(".step[data-step=pictures]")
    expect(failed.locator(".inside > .stack > :first-child")).to_have_text("No space left on device: cache/pictures")
    expect(failed.get_by_label("Log of pictures")).to_be_visible()
    expect(failed).to_contain_text("the input items differs")
    expect(failed).to_contain_text("after items")
    assert page.locator(".step[open]").count() == 1
    failed.locator("summary").click()
    expect(failed).not_to_have_attribute("open", "")


def test_a_step_that_was_passed_over_says_whose_failure_that_was_or_that_it_was_not_needed(page: Page, site: Site) -> None:
    page.goto("/trainings/photo-search-2")
    for name in ("features", "space", "index", "report"):  # what needs it, directly and not
        expect(page.locator(f".step[data-step={name}] summary")).to_contain_text("not run, because pictures failed")
    assert "not needed" not in page.locator(".steps").inner_text()
    snapshot = site.platform.resources.get("Training", "photo-search-2").status.pipeline
    phases = {"items": "Succeeded", "pictures": "Failed", "features": "Skipped", "space": "Skipped", "index": "Failed", "report": "Skipped"}
    steps = tuple(
        StepStatus(
            name=name, phase=phase, reason="NotNeeded" if name == "space" else "", message="exists already" if name == "space" else ""
        )  # type: ignore[arg-type]
        for name, phase in phases.items()
    )
    make_training(site, "two-failed", TrainingStatus(phase="Failed", steps=steps, pipeline=snapshot))
    page.goto("/trainings/two-failed")
    expect(page.locator(".step[data-step=features] summary")).to_contain_text("not run, because pictures failed")
    expect(page.locator(".step[data-step=report] summary")).to_contain_text("not run, because pictures and index failed")
    expect(page.locator(".step[data-step=space] summary")).to_contain_text("not needed")
    expect(page.locator(".step[data-step=space] summary")).to_contain_text("exists already")


def test_a_steps_details_open_by_keyboard(page: Page) -> None:
    page.goto("/trainings/photo-search-1")
    page.locator(".step[data-step=report] summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".step[data-step=report]")).to_contain_text("0.991")


def test_a_training_is_run_again(page: Page, site: Site) -> None:
    make_training(site, "again", TrainingStatus(phase="Succeeded", steps=(StepStatus(name="work", phase="Succeeded"),)))
    page.goto("/trainings/again")
    page.get_by_role("button", name="Run again").click()
    expect(page).to_have_url(re.compile("/trainings/again-r1$"))
    expect(page.get_by_role("heading", name="again-r1")).to_be_visible()
    assert site.platform.resources.get("Training", "again-r1").spec.parameters == {"listings": "x.csv"}


def test_a_training_is_cancelled_only_when_that_is_confirmed(page: Page, site: Site) -> None:
    make_training(site, "running", TrainingStatus(phase="Running", steps=(StepStatus(name="work", phase="Running"),)))
    page.goto("/trainings/running")
    page.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog", name="Cancel running?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button")).to_have_text(["Keep it running", "Cancel it"])
    dialog.get_by_role("button", name="Keep it running").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert site.platform.resources.get("Training", "running").spec.state == "Run"
    page.get_by_role("button", name="Cancel").click()
    with page.expect_response("**/api/v1/trainings/running:cancel") as said:
        page.get_by_role("button", name="Cancel it").click()
    assert said.value.ok
    assert site.platform.resources.get("Training", "running").spec.state == "Cancelled"


def test_an_alias_is_rolled_back_and_moved_again(page: Page, site: Site) -> None:
    page.goto("/models")
    page.get_by_role("link", name="photos", exact=True).click()
    expect(page.locator(".heading")).to_contain_text("stable → 3")
    page.get_by_role("button", name="Roll back stable").click()
    page.get_by_label("Why").fill("worse on shoes")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".heading")).to_contain_text("stable → 2")
    expect(page.locator(".timeline").first).to_contain_text("worse on shoes")
    assert site.platform.repository.alias("photos", "stable") == 2
    page.get_by_role("button", name="Make stable: version 3").click()
    page.get_by_role("dialog").get_by_role("button", name="Make stable").click()
    expect(page.locator(".heading")).to_contain_text("stable → 3")
    assert site.platform.repository.alias("photos", "stable") == 3


def test_a_models_metrics_are_drawn_and_read_out(page: Page) -> None:
    page.goto("/models/photos")
    expect(page.get_by_role("img", name="recall_at_10: 0.962 to 0.991 over 3 versions")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="0.984")
    expect(row.get_by_role("link", name="photo-search-2")).to_be_visible()


def test_the_gates_metric_is_charted_first_and_marked_where_aliases_stand(page: Page, site: Site, tmp_path: Path) -> None:
    models = site.platform.repository
    gate = "metrics.cost < 10 and metrics.lag < 3"
    for number in (1, 2, 3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_text(str(number))
        metrics = {"accuracy": 0.9, "cost": 10.0 - number, "lag": float(number), "rows": 5.0}
        models.publish("gated", tmp_path / str(number), metrics=metrics, lineage={"requires": gate})
    models.move_alias("gated", "stable", 2, "by hand")
    models.move_alias("gated", "canary", 3, "by hand")
    page.goto("/models/gated")
    trend = page.get_by_role("region", name="Metric over versions")
    expect(trend).to_contain_text(gate)
    read_out = "cost: 9 to 7 over 3 versions; stable is version 2 with 8; canary is version 3 with 7"
    expect(trend.get_by_role("img", name=read_out)).to_be_visible()
    expect(trend.locator(".here")).to_have_text(["stable", "canary"])
    choice = trend.get_by_role("combobox", name="Metric")
    assert choice.locator("option").all_inner_texts() == ["cost", "lag", "accuracy", "rows"]
    choice.select_option("rows")
    expect(trend.get_by_role("img", name="rows: 5 to 5 over 3 versions")).to_be_visible()
    assert page.get_by_role("columnheader").all_inner_texts()[2:5] == ["cost", "lag", "accuracy"]
    page.goto("/models")
    expect(page.get_by_role("img", name=read_out)).to_be_visible()


def test_a_wide_table_says_that_it_scrolls_and_is_reached_by_keyboard_only_then(page: Page) -> None:
    page.goto("/models/photos")
    expect(page.get_by_role("cell", name="0.984")).to_be_visible()
    expect(page.locator(".scroll-hint").first).to_be_hidden()
    expect(page.get_by_role("region", name="Versions, a table that scrolls sideways")).to_have_count(0)
    page.set_viewport_size({"width": 360, "height": 740})
    wide = page.get_by_role("region", name="Versions, a table that scrolls sideways")
    expect(wide).to_be_visible()
    expect(page.locator(".scroll-hint").first).to_be_visible()
    wide.focus()
    page.keyboard.press("ArrowRight")
    expect(wide).not_to_have_js_property("scrollLeft", 0)


def test_what_a_run_published_is_shown_as_it_stands_now(page: Page, site: Site, tmp_path: Path) -> None:
    page.goto("/trainings/photo-search-1")
    published = page.locator("section.card").filter(has=page.get_by_role("heading", name="Published"))
    expect(published.locator(".row.apart").filter(has_text="photos 1")).to_contain_text("was stable")
    expect(published.locator(".row.apart").filter(has_text="photos-space 1").locator(".badge")).to_have_text("stable")

    (tmp_path / "rows").write_text("rows")
    models = site.platform.repository
    models.publish("waits", tmp_path, deploy={"serving": "waits", "track": "stable", "image": True, "holds": True})
    why = "stable waits for its image, which the image builder makes"
    made = Published(output="index.index", model="waits", version=1, why_not=why)
    make_training(site, "waits-1", TrainingStatus(phase="Succeeded", published=(made,)))
    page.goto("/trainings/waits-1")
    warned = page.get_by_text("waits 1 is not in use.")
    expect(warned).to_be_visible()
    models.record_image("waits", 1, ImageRecord("pushed", datetime.now(UTC), "r:5000/waits:1@sha256:1", "sha256:1"))
    models.move_alias("waits", "stable", 1, "its image is in the registry")
    expect(warned).to_have_count(0)
    expect(published.locator(".row.apart .badge")).to_have_text("stable")


def test_the_images_of_a_model_say_what_is_shared_what_is_new_and_what_failed(page: Page) -> None:
    page.goto("/models/photos")
    card = page.get_by_role("region", name="Images")
    second = card.get_by_role("listitem").filter(has=page.get_by_text("Version 2", exact=True))
    expect(second).to_contain_text("registry.example:5000/team/photos:2@sha256:")
    expect(second).to_contain_text("121 MB in 6 layers · 1 new (14 MB) · 14 MB sent · built and pushed in 1.4 s")
    expect(second.get_by_role("img", name="1 of 6 layers are new: 14 MB of 121 MB")).to_be_visible()
    second.get_by_text("Layers", exact=True).click()
    expect(second.get_by_role("row").filter(has_text="pyarrow")).to_contain_text("shared")
    expect(second.get_by_role("row").filter(has_text="rows.fp16")).to_contain_text("new")
    third = card.get_by_role("listitem").filter(has=page.get_by_text("Version 3", exact=True))
    expect(third).to_contain_text("nobody answers there")
    expect(third).to_contain_text("Tried 3 times; the next try is at")
    with page.expect_popup() as opened:
        card.get_by_role("button", name="The builder's log").click()
    expect(opened.value.locator("body")).to_contain_text("photos@3: building")


def test_a_model_without_images_says_nothing_of_them(page: Page) -> None:
    page.goto("/models/photos-space")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    expect(page.get_by_role("region", name="Images")).to_have_count(0)


def test_servings_say_what_they_serve(page: Page) -> None:
    page.goto("/servings")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="photos", exact=True))
    expect(card).to_contain_text("Ready")
    expect(card).to_contain_text("photos@3")
    card.get_by_role("link", name="Search").click()
    expect(page.get_by_role("heading", name="Find it by a photo")).to_be_visible()


def test_a_pipeline_is_run_with_what_it_needs(page: Page, site: Site) -> None:
    page.goto("/pipelines")
    page.get_by_role("button", name="Run").click()
    listings = page.get_by_role("textbox", name=re.compile("listings"))
    assert listings.evaluate("input => input.required")
    listings.fill("catalogue.csv")
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(page).to_have_url(re.compile(r"/trainings/photo-search-\d+$"))
    made = site.platform.resources.get("Training", page.url.rpartition("/")[2])
    assert made.spec.parameters == {"listings": "catalogue.csv", "family": "photos"}


@pytest.mark.parametrize("path", ["/trainings/nope", "/models/nope"])
def test_what_is_not_there_is_said_so(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", name=re.compile("Not found|No training"))).to_be_visible()


def test_the_api_is_described_on_a_page_of_our_own(page: Page) -> None:
    page.goto("/docs")
    operation = page.locator(".operation").filter(has_text="/v1/search/photos")
    expect(operation).to_contain_text("Search by photo")
    page.get_by_text("/api/v1/trainings/{name}/logs/{step}").click()
    expect(page.get_by_role("cell", name="follow", exact=True)).to_be_visible()


NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([hidden]), summary, img, [role=img], [role=progressbar], [role=meter]")]
    .filter((one) => one.checkVisibility() && !one.closest("[aria-hidden=true]"))
    .filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length || one.alt || one.hasAttribute("alt")))
    .map((one) => one.outerHTML.slice(0, 120))"""
CUT = """() => [...document.querySelectorAll(".nav a")].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.left < 0 || box.right > innerWidth || one.scrollWidth > one.clientWidth || !one.contains(document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2));
    }).map((one) => one.textContent)"""
TINY = """() => [...document.querySelectorAll("button, a, summary, input, select")].filter((one) => one.checkVisibility() && !one.closest("p:not(.crumbs)"))
    .filter((one) => { const box = one.getBoundingClientRect(); return box.width > 1 && (box.height < 24 || box.width < 24); })
    .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("theme", "width"), [("light", 360), ("dark", 360), ("light", 320)])
def test_every_page_fits_a_phone_and_names_what_can_be_touched(browser: Browser, site: Site, path: str, theme: str, width: int) -> None:
    context = browser.new_context(
        base_url=site.url, viewport={"width": width, "height": 740}, color_scheme=theme, is_mobile=True, has_touch=True
    )  # type: ignore[arg-type]
    page = site.let_in(context).new_page()
    page.goto(path)
    page.wait_for_load_state("networkidle") if path in ("/", "/docs", "/models", "/models/photos") else expect(
        page.locator("#page > *").first
    ).to_be_visible()
    expect(page.locator("#standing .badge")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TINY) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (theme == "dark")
    context.close()


def test_nothing_moves_for_those_who_do_not_want_it(browser: Browser, site: Site) -> None:
    context = site.let_in(browser.new_context(base_url=site.url, reduced_motion="reduce"))
    page = context.new_page()
    page.goto("/trainings")
    expect(page.locator(".dots i.live").first).to_be_visible()
    assert page.locator(".dots i.live").first.evaluate("dot => getComputedStyle(dot).animationIterationCount") == "1"
    context.close()


def test_the_focus_is_seen(page: Page) -> None:
    page.goto("/trainings")
    expect(page.get_by_role("row").first).to_be_visible()
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
