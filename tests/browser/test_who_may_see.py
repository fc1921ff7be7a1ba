"""A tab with the token, and one without: what each shows, and where the token goes."""

import re
from collections.abc import Iterator

import pytest
from browser_site import Site, make_training
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lykeion.adapters.local.token import page_with_token, token_of
from lykeion.core.resources import StepStatus, TrainingStatus

pytestmark = pytest.mark.browser
PLATFORM_PAGES = ["/trainings", "/trainings/photo-search-1", "/models", "/models/photos", "/servings", "/pipelines"]


@pytest.fixture
def stranger(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """Another browser, which nobody gave the token."""
    made = browser.new_context(base_url=site.url)
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.mark.parametrize("path", PLATFORM_PAGES)
def test_without_the_token_a_page_shows_nothing_but_how_to_open_it(stranger: BrowserContext, path: str) -> None:
    page = stranger.new_page()
    page.goto(path)
    expect(page.get_by_role("heading", name="This tab may only search")).to_be_visible()
    expect(page.get_by_text("lykeion open", exact=True)).to_be_visible()
    assert "Succeeded" not in page.content()
    assert "photos-space" not in page.content()
    page.get_by_role("main").get_by_role("link", name="Search").click()
    expect(page.get_by_role("heading", name="Find it by a photo")).to_be_visible()


def test_without_the_token_one_can_search_and_see_pictures(stranger: BrowserContext) -> None:
    page = stranger.new_page()
    page.goto("/")
    page.get_by_role("button", name="Search by sample picture 1").click()
    picture = page.locator(".item:not(.placeholder) img").first
    expect(picture).to_be_visible()
    page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())


def test_the_token_leaves_the_address_bar_and_opens_everything_in_that_tab(stranger: BrowserContext, site: Site) -> None:
    token = token_of(site.platform.home.root)
    page = stranger.new_page()
    sent: list[dict[str, str]] = []
    page.on("request", lambda one: sent.append({"url": one.url, **one.headers}))
    page.goto(page_with_token(site.url, token))
    expect(page).to_have_url(f"{site.url}/")
    page.get_by_role("navigation").get_by_role("link", name="Trainings").click()
    expect(page.get_by_role("row").filter(has_text="photo-search-1")).to_contain_text("Succeeded")
    page.reload()
    expect(page.get_by_role("row").filter(has_text="photo-search-1")).to_contain_text("Succeeded")
    assert stranger.cookies() == []
    assert [one for one in sent if token in f"{one['url']} {one.get('referer', '')}"] == []
    other = stranger.new_page()
    other.goto("/trainings")
    expect(other.get_by_role("heading", name="This tab may only search")).to_be_visible()


def test_an_open_tab_takes_the_token_when_the_address_is_pasted_there(stranger: BrowserContext, site: Site) -> None:
    page = stranger.new_page()
    page.goto("/models")
    expect(page.get_by_role("heading", name="This tab may only search")).to_be_visible()
    page.goto(f"/models#token={token_of(site.platform.home.root)}")
    expect(page.get_by_role("link", name="photos", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("/models$"))


def test_a_line_that_was_cut_is_taken_up_again(page: Page, context: BrowserContext, site: Site) -> None:
    make_training(site, "cut", TrainingStatus(phase="Running", steps=(StepStatus(name="work", phase="Running"),)))
    context.route("**/api/v1/watch", lambda route: route.abort())
    page.goto("/trainings/cut")
    expect(page.locator("#standing .badge")).to_be_visible()
    context.unroute("**/api/v1/watch")
    expect(page.locator(".step[data-step=work]")).to_be_visible()
