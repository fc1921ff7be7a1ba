"""Everything can be done without a mouse, and on a phone held upright with pages that are full."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_catalogue import draw
from browser_site import Site
from playwright.sync_api import Browser, Page, expect

from lykeion.core.resources import StepStatus, Training, TrainingStatus

pytestmark = pytest.mark.browser
CARDS = ".item:not(.placeholder)"
LONG = "Aveverylongwordwithoutanyplacetobreakit" * 4
FOCUSED = "document.activeElement"


def tab_to(page: Page, wanted: str, most: int = 60) -> None:
    """Press Tab until an element that matches the selector has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"{FOCUSED}.matches({json.dumps(wanted)})"):
            return
    raise AssertionError(f"{wanted} is not reached by Tab: the focus is at {page.evaluate(FOCUSED + '.outerHTML.slice(0, 200)')}")


def test_a_search_is_made_and_gone_on_with_by_keyboard_alone(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".sample").first).to_be_visible()
    tab_to(page, ".sample")
    page.keyboard.press("Enter")
    expect(page.locator(CARDS).first).to_be_visible()
    first = page.locator(CARDS).first.get_attribute("data-id")
    tab_to(page, ".item button")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("item="))
    expect(page.locator(CARDS).first).not_to_have_attribute("data-id", str(first))
    page.go_back()
    expect(page.locator(CARDS).first).to_have_attribute("data-id", str(first))


def test_a_page_is_left_by_its_navigation_without_a_mouse_and_the_content_can_be_skipped_to(page: Page) -> None:
    page.goto("/models")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate(f"!!{FOCUSED}.closest('main') || location.hash === '#main'")
    page.goto("/models")
    tab_to(page, "nav a[href$='/trainings']")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/trainings$"))


def test_a_list_that_is_drawn_anew_keeps_the_focus(page: Page, site: Site) -> None:
    page.goto("/trainings")
    link = page.get_by_role("link", name="photo-search-1", exact=True)
    link.focus()
    before = link.element_handle()
    assert before is not None
    spec = {"pipelineRef": {"name": "photo-search"}, "parameters": {}}
    site.platform.resources.create(Training.model_validate({"metadata": {"name": "another"}, "spec": spec}))
    expect(page.get_by_role("link", name="another", exact=True)).to_be_visible()
    assert not before.evaluate("link => link.isConnected"), "the list was drawn anew"
    expect(link).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    page.goto("/pipelines")
    opener = page.get_by_role("button", name="Run")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(f"!!{FOCUSED}.closest('dialog') || {FOCUSED} === document.body"), "nothing behind it can be reached"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def test_what_a_dialog_needs_is_asked_for_and_enter_sends_it(page: Page, site: Site) -> None:
    page.goto("/pipelines")
    page.get_by_role("button", name="Run").press("Enter")
    before = len(site.platform.resources.list("Training"))
    field = page.get_by_role("textbox", name=re.compile("listings"))
    field.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert len(site.platform.resources.list("Training")) == before, "a field that must be filled in was empty"
    field.fill("by-keyboard.csv")
    field.press("Enter")
    expect(page).to_have_url(re.compile(r"/trainings/photo-search-\d+$"))


@pytest.fixture
def phone(browser: Browser, site: Site) -> Iterator[Page]:
    """The narrowest that pages have to fit (WCAG 2.2, 1.4.10), with a finger for a mouse."""
    context = browser.new_context(base_url=site.url, viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True)
    context.set_default_timeout(10_000)
    yield site.let_in(context).new_page()
    context.close()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_photo_is_searched_by_on_a_phone_and_the_answer_fits_though_its_words_do_not(phone: Page, tmp_path: Path) -> None:
    def long_words(route) -> None:
        answer = route.fetch()
        said = answer.json()
        for item in said["items"]:
            item |= {"title": LONG, "category": LONG}
        route.fulfill(response=answer, body=json.dumps(said))

    (tmp_path / "photo.png").write_bytes(draw("bags", 7))
    phone.route(re.compile(r"/v1/search/photos\?k="), long_words)
    phone.goto("/")
    phone.set_input_files("#file", str(tmp_path / "photo.png"))
    expect(phone.locator(CARDS).first).to_contain_text(LONG)
    assert fits(phone)
    phone.locator(CARDS).nth(1).get_by_role("button", name=re.compile("More like")).tap()
    expect(phone).to_have_url(re.compile("item="))
    expect(phone.locator(".item.placeholder")).to_have_count(0)
    expect(phone.locator(CARDS).first).to_contain_text(LONG)
    phone.unroute_all(behavior="wait")
    assert fits(phone)


def test_a_training_with_long_names_and_messages_fits_a_phone(phone: Page, site: Site) -> None:
    spec = {"pipelineRef": {"name": "photo-search"}, "parameters": {"listings": f"/data/{LONG}.csv"}}
    name = "a-training-whose-name-is-as-long-as-can"
    made = site.platform.resources.create(Training.model_validate({"metadata": {"name": name}, "spec": spec}))
    step = StepStatus(name="a-step-whose-name-is-as-long-as-it-can", phase="Failed", reason="Error", message=LONG, log_tail=LONG, why=LONG)
    site.platform.resources.write_status(made.model_copy(update={"status": TrainingStatus(phase="Failed", steps=(step,))}))
    for path in ("/trainings", f"/trainings/{name}"):
        phone.goto(path)
        expect(phone.get_by_text(name).first).to_be_visible()
        assert fits(phone), path
    phone.locator(".step summary").tap()
    expect(phone.locator(".step")).to_contain_text(LONG)
    assert fits(phone)


def test_a_dialog_fits_a_phone_and_its_buttons_can_be_touched(phone: Page) -> None:
    phone.goto("/pipelines")
    phone.get_by_role("button", name="Run").tap()
    dialog = phone.get_by_role("dialog")
    expect(dialog).to_be_visible()
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    for button in dialog.get_by_role("button").all():
        place = button.bounding_box()
        assert place is not None
        assert min(place["width"], place["height"]) >= 24
    assert fits(phone)
