"""Every page, in every state that it has, held against WCAG 2.2 A and AA and axe's best practices: light, dark, on a desk and on a phone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_nothing import nothing_yet
from browser_site import Site
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
FOLDER = Path(__file__).parents[2] / ".cache" / "axe"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ASKED = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"


@pytest.fixture(scope="session")
def axe() -> str:
    found = sorted(FOLDER.glob("axe-core-*.js"))
    if not found:
        pytest.skip("axe-core is missing (scripts/axe brings it from npm)")
    return found[-1].read_text("utf-8")


@pytest.fixture(params=["light 1280", "dark 1280", "light 360", "dark 360"])
def shown(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Page]:
    theme, width = request.param.split()
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": int(width), "height": 800},
        color_scheme=theme,
        reduced_motion="reduce",
        has_touch=width == "360",
    )
    context.set_default_timeout(10_000)
    yield site.let_in(context).new_page()
    context.close()


def faults(page: Page, axe: str) -> list[str]:
    """What is wrong, a line for each element."""
    page.evaluate(axe)
    found = page.evaluate(ASKED, RULES)["violations"]
    return [f"{one['id']}: {node['html'][:160]}: {node['failureSummary']}" for one in found for node in one["nodes"]]


def heading(page: Page, path: str, name: str | re.Pattern[str]) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", name=name).first).to_be_visible()


def started(page: Page, _: Site) -> None:
    page.goto("/")
    expect(page.locator(".sample").first).to_be_visible()
    expect(page.locator(".filters .chip").first).to_be_attached()


def searched(page: Page, site: Site) -> None:
    page.goto(f"/?family=photos&item={site.catalogue[0]['id']}")
    expect(page.locator(".item:not(.placeholder)")).to_have_count(24)
    page.evaluate("document.querySelector('.filters').open = true")


def nothing_found(page: Page, site: Site) -> None:
    heading(page, f"/?family=photos&item={site.catalogue[0]['id']}&from=100000", "Nothing found")


def refused(page: Page, _: Site) -> None:
    page.goto("/?family=photos&item=nope")
    expect(page.get_by_role("alert")).to_be_visible()


def no_family(page: Page, _: Site) -> None:
    nothing_yet(page)
    heading(page, "/", "Nothing to search yet")


def without_anything(path: str, said: str) -> Callable[[Page, Site], None]:
    def opened(page: Page, _: Site) -> None:
        nothing_yet(page)
        heading(page, path, said)

    return opened


def at(path: str, said: str) -> Callable[[Page, Site], None]:
    return lambda page, _: heading(page, path, said)


def training_open(page: Page, _: Site) -> None:
    page.goto("/trainings/photo-search-3")
    expect(page.locator(".step summary")).to_have_count(6)
    for step in page.locator(".step summary").all():
        step.click()
    expect(page.get_by_label("Log of features")).to_contain_text("part-00037")


def training_failed(page: Page, _: Site) -> None:
    page.goto("/trainings/photo-search-2")
    expect(page.get_by_label("Log of pictures")).to_have_text("The step wrote nothing.")


def model_open(page: Page, _: Site) -> None:
    page.goto("/models/photos")
    expect(page.get_by_text("Layers", exact=True).first).to_be_visible()
    for layers in page.get_by_text("Layers", exact=True).all():
        layers.click()
    expect(page.get_by_role("cell", name="platform").first).to_be_visible()


def moving_an_alias(page: Page, _: Site) -> None:
    page.goto("/models/photos")
    page.get_by_role("button", name="Roll back stable").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def running_a_pipeline(page: Page, _: Site) -> None:
    page.goto("/pipelines")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def operations(page: Page, _: Site) -> None:
    page.goto("/docs")
    page.get_by_text("/api/v1/trainings/{name}/logs/{step}").click()
    expect(page.get_by_role("cell", name="follow", exact=True)).to_be_visible()


def locked(page: Page, _: Site) -> None:
    page.add_init_script("sessionStorage.setItem('lykeion-token', 'of another install')")
    heading(page, "/trainings", "This tab may only search")


STATES: dict[str, Callable[[Page, Site], None]] = {
    "search": started,
    "results": searched,
    "nothing found": nothing_found,
    "no such item": refused,
    "nothing to search": no_family,
    "trainings": at("/trainings", "Trainings"),
    "no trainings": without_anything("/trainings", "No trainings yet"),
    "training": at("/trainings/photo-search-1", "photo-search-1"),
    "running training": training_open,
    "failed training": training_failed,
    "no such training": at("/trainings/nope", "No training nope"),
    "models": at("/models", "Models"),
    "no models": without_anything("/models", "No models yet"),
    "model": model_open,
    "roll back": moving_an_alias,
    "no such model": at("/models/nope", "Not found"),
    "servings": at("/servings", "Servings"),
    "no servings": without_anything("/servings", "Nothing is served yet"),
    "pipelines": at("/pipelines", "Pipelines"),
    "no pipelines": without_anything("/pipelines", "No pipelines yet"),
    "run": running_a_pipeline,
    "api": operations,
    "locked": locked,
}


@pytest.mark.parametrize("state", STATES)
def test_a_page_can_be_used_by_everyone(shown: Page, site: Site, axe: str, state: str) -> None:
    STATES[state](shown, site)
    expect(shown.locator("#standing .badge")).to_be_visible()
    assert faults(shown, axe) == []
