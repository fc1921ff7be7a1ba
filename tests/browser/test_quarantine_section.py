"""A Training's page says what its steps set aside, and shows the pictures that there are."""

import re

import pytest
from browser_site import Site
from playwright.sync_api import Browser, Locator, Page, expect

from lykeion.components.quarantine import Quarantine
from lykeion.core.resources import StepStatus, Training, TrainingStatus

pytestmark = pytest.mark.browser
ROWS = 60


def make_training(site: Site, name: str, phase: str = "Succeeded") -> Training:
    """Of one step, which set rows and a picture aside."""
    folder = site.platform.outputs.folder / f"key-of-{name}" / "items"
    folder.mkdir(parents=True)
    with Quarantine(folder) as bad:
        bad.add("damaged: it ends early", item="m1", picture=site.catalogue[0]["picture"].rpartition("/")[2])
        bad.add("damaged: it ends early", item="m2", picture="0" * 64)
        for row in range(1, ROWS + 1):
            bad.add("its price is not a number", item=f"i{row}", row=row, line=row + 1, value="<b>cheap</b>" * 10)
    made = site.platform.resources.create(
        Training.model_validate({"metadata": {"name": name}, "spec": {"pipelineRef": {"name": "photo-search"}, "parameters": {}}})
    )
    steps = (StepStatus(name="items", phase=phase, key=f"key-of-{name}"),)
    kept = site.platform.resources.write_status(made.model_copy(update={"status": TrainingStatus(phase=phase, steps=steps)}))
    assert isinstance(kept, Training)
    return kept


def section(page: Page) -> Locator:
    return page.get_by_role("region", name="Set aside")


def test_what_was_set_aside_is_listed_with_reasons_and_pictures(page: Page, site: Site) -> None:
    make_training(site, "aside-1")
    page.goto("/trainings/aside-1")
    expect(section(page)).to_contain_text(f"{ROWS} rows in items: its price is not a number")
    expect(section(page)).to_contain_text("2 pictures in items: damaged")
    expect(section(page).locator("ol li")).to_have_count(20)
    expect(section(page).locator("img")).to_have_count(1)
    assert section(page).locator("img").evaluate("async (one) => { await one.decode(); return one.naturalWidth; }") > 0
    for _ in range(3):
        shown = section(page).locator("ol li").count()
        section(page).get_by_role("button", name="Show more").click()
        expect(section(page).locator("ol li").nth(shown)).to_be_visible()
    expect(section(page).locator("ol li")).to_have_count(ROWS + 2)
    expect(section(page).get_by_role("button", name="Show more")).to_be_hidden()
    expect(section(page).locator("ol li").last).to_contain_text(re.compile(f"line {ROWS + 1}: <b>cheap"))


def test_what_a_step_set_aside_appears_when_it_has_ended(page: Page, site: Site) -> None:
    training = make_training(site, "aside-2", "Running")
    page.goto("/trainings/aside-2")
    expect(page.get_by_role("heading", name="aside-2")).to_be_visible()
    expect(section(page)).to_be_hidden()
    steps = tuple(step.model_copy(update={"phase": "Cached"}) for step in training.status.steps)
    site.platform.resources.write_status(training.model_copy(update={"status": TrainingStatus(phase="Succeeded", steps=steps)}))
    expect(section(page)).to_contain_text(str(ROWS + 2))


def test_it_fits_a_phone(browser: Browser, site: Site) -> None:
    make_training(site, "aside-3")
    context = browser.new_context(base_url=site.url, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.goto("/trainings/aside-3")
    expect(section(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
