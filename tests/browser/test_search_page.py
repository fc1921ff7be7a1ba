"""The search page in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_catalogue import draw
from browser_site import Site
from playwright.sync_api import BrowserContext, Page, expect

from lykeion.core.search.filters import parse_filters

pytestmark = pytest.mark.browser
CARDS = ".item:not(.placeholder)"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my photo.png"
    path.write_bytes(draw("bags", 999))
    return path


@pytest.fixture
def mode(site: Site) -> Iterator[Path]:
    """How the search behind is; well again after the test."""
    yield site.mode
    site.mode.unlink(missing_ok=True)


def search_by(page: Page, photo: Path) -> None:
    page.goto("/")
    page.set_input_files("#file", str(photo))
    expect(page.locator(CARDS)).to_have_count(24)


def test_a_chosen_photo_finds_items_at_once(page: Page, photo: Path, site: Site) -> None:
    search_by(page, photo)
    expect(page.locator("#status")).to_have_text("24 items in 11 ms")
    expect(page.get_by_alt_text("The photo you searched by")).to_be_visible()
    first = page.locator(CARDS).first
    by_id = {item["id"]: item for item in site.catalogue}
    item = by_id[str(first.get_attribute("data-id"))]
    expect(first).to_contain_text(item["title"])
    expect(first).to_contain_text(item["category"])
    expect(first).to_contain_text("0.970")
    expect(first.get_by_role("meter")).to_have_attribute("aria-valuenow", "97")
    image = first.get_by_role("img", name=item["title"])
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    assert page.title() == "Your photo · Lykeion"


def test_the_file_dialog_opens_by_keyboard(page: Page, photo: Path) -> None:
    page.on("filechooser", lambda _: None)  # the browser hands dialogs to us from now on, not from some time after the key
    page.goto("/")
    expect(page.get_by_role("button", name="Choose a photo")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_text("start from a picture of the catalogue")).to_be_visible()  # the page's script is at work
    page.get_by_role("button", name="Choose a photo").focus()
    with page.expect_file_chooser() as opened:
        page.keyboard.press("Enter")
    opened.value.set_files(str(photo))
    expect(page.locator(CARDS)).to_have_count(24)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted_anywhere(page: Page, kind: str) -> None:
    page.goto("/")
    page.evaluate(
        """([kind, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "p.png", {type: "image/png"}));
            const event = kind === "drop" ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
                                          : new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
            document.body.dispatchEvent(event);
        }""",
        [kind, list(draw("lamps", 5))],
    )
    expect(page.locator(CARDS)).to_have_count(24)


def test_dragging_a_photo_says_that_it_may_be_dropped(page: Page) -> None:
    page.goto("/")
    dragged = """name => { const data = new DataTransfer(); data.items.add(new File(["x"], "p.png", {type: "image/png"}));
        document.body.dispatchEvent(new DragEvent(name, {dataTransfer: data, bubbles: true})); }"""
    page.evaluate(dragged, "dragenter")
    expect(page.locator("#cover")).to_be_visible()
    page.evaluate(dragged, "dragleave")
    expect(page.locator("#cover")).to_be_hidden()


def test_what_is_no_picture_is_refused_with_its_name(page: Page) -> None:
    page.goto("/")
    page.evaluate(
        """() => { const data = new DataTransfer(); data.items.add(new File(["x"], "notes.pdf", {type: "application/pdf"}));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})); }"""
    )
    expect(page.get_by_role("status").filter(has_text="notes.pdf is no picture")).to_be_visible()


def test_a_picture_of_the_catalogue_starts_a_search(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Search by sample picture 1").click()
    expect(page.locator(CARDS)).to_have_count(24)


def test_more_like_this_can_be_shared_reloaded_and_gone_back_from(page: Page, photo: Path) -> None:
    search_by(page, photo)
    before = page.locator(CARDS).first.get_attribute("data-id")
    page.locator(CARDS).nth(2).get_by_role("button", name=re.compile("More like")).click()
    expect(page).to_have_url(re.compile(r"item=m\d+"))
    expect(page.locator(".query")).to_contain_text("More like")
    shared, first = page.url, page.locator(CARDS).first
    expect(page.locator(CARDS)).to_have_count(24)
    chosen = first.get_attribute("data-id")
    page.get_by_role("button", name="Copy link").click()
    assert page.evaluate("navigator.clipboard.readText()") == shared
    page.reload()
    expect(first).to_have_attribute("data-id", str(chosen))
    page.go_back()
    expect(page.locator("#start")).to_be_visible()  # a reloaded page has forgotten the photo, which never left this machine
    page.goto(shared)
    expect(first).to_have_attribute("data-id", str(chosen))
    assert before != chosen


def test_back_finds_the_photo_again(page: Page, photo: Path) -> None:
    search_by(page, photo)
    before = page.locator(CARDS).first.get_attribute("data-id")
    page.locator(CARDS).nth(2).get_by_role("button", name=re.compile("More like")).click()
    expect(page).to_have_url(re.compile("item="))
    page.go_back()
    expect(page.get_by_alt_text("The photo you searched by")).to_be_visible()
    expect(page.locator(CARDS).first).to_have_attribute("data-id", str(before))


def test_filters_narrow_stand_in_the_address_and_keep_the_focus(page: Page, site: Site) -> None:
    item = site.catalogue[0]["id"]
    page.goto(f"/?family=photos&item={item}")
    expect(page.locator(CARDS)).to_have_count(24)
    shoes = page.get_by_role("button", name=re.compile("^shoes"))
    shoes.click()
    expect(page.locator(CARDS)).to_have_count(sum(one["category"] == "shoes" for one in site.catalogue))
    expect(page).to_have_url(re.compile("category=shoes"))
    expect(page.locator("[data-value=shoes]")).to_be_focused()
    expect(page.locator("[data-value=shoes]")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Under").fill("100")
    page.get_by_label("Under").press("Enter")
    cheap = [one for one in site.catalogue if one["category"] == "shoes" and one["price"] is not None and one["price"] < 100]
    expect(page.locator(CARDS)).to_have_count(len(cheap))
    expect(page).to_have_url(re.compile("under=100"))
    page.reload()
    expect(page.locator(CARDS)).to_have_count(len(cheap))
    expect(page.get_by_label("Under")).to_have_value("100")


def test_what_there_is_can_be_chosen_before_the_first_search(page: Page, photo: Path, site: Site) -> None:
    page.goto("/")
    lamps = sum(one["category"] == "lamps" for one in site.catalogue)
    chip = page.get_by_role("group", name="Category").get_by_role("button", name=re.compile("^lamps"))
    expect(chip.locator(".count")).to_have_text(str(lamps))
    chip.click()
    expect(page).to_have_url(re.compile("category=lamps"))
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chip).to_be_focused()
    page.get_by_role("group", name="Status").get_by_role("button", name=re.compile("^on sale")).click()
    page.set_input_files("#file", str(photo))
    left = [one for one in site.catalogue if one["category"] == "lamps" and one["status"] == "on_sale"]
    expect(page.locator(CARDS)).to_have_count(len(left))
    expect(chip.locator(".count")).to_have_text(str(lamps))  # of the family, whatever was found
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#start")).to_be_visible()
    expect(chip).to_have_attribute("aria-pressed", "false")


def test_a_value_that_would_mean_something_in_a_filter_is_asked_for_as_it_is(page: Page, photo: Path) -> None:
    odd = ["toys|games", "<small>", "back\\slash"]
    values = [{"value": value, "items": 2} for value in odd]
    told = {"fields": [{"name": "category", "kind": "text", "values": values, "other": 1200}]}
    page.route(re.compile(r"/v1/search/photos$"), lambda route: route.fulfill(json=told))
    page.goto("/")
    group = page.get_by_role("group", name="Category")
    expect(group).to_contain_text("and 1,200 items of others")
    for value in odd:
        group.get_by_role("button", name=value).click()
    with page.expect_request(re.compile(r"/v1/search/photos\?")) as asked:
        page.set_input_files("#file", str(photo))
    filters = parse_qs(urlsplit(asked.value.url).query)["filter"]
    assert set(parse_filters(filters, {"category": "text"}).conditions[0].values) == set(odd)


def test_fields_of_the_catalogues_own_are_filters(page: Page, photo: Path) -> None:
    told = {
        "fields": [
            {"name": "brand", "kind": "text", "values": [{"value": "Acme|Co", "items": 3}, {"value": "Zed", "items": 2}], "other": 0},
            {"name": "is_new", "kind": "flag", "values": [{"value": "true", "items": 3}, {"value": "false", "items": 2}], "other": 0},
            {"name": "year", "kind": "number", "least": -4, "most": 2024, "ranges": []},
            {"name": "updated_at", "kind": "time", "least": "2026-01-01T00:00:00Z", "most": "2026-12-01T00:00:00Z"},
            {"name": "title", "kind": "text", "values": [{"value": "A", "items": 1}, {"value": "B", "items": 1}], "other": 0},
            {"name": "a:b", "kind": "text", "values": [{"value": "x", "items": 1}, {"value": "y", "items": 1}], "other": 0},
            *({"name": f"n{number}", "kind": "number", "least": 0, "most": 9} for number in range(5)),
        ]
    }
    page.route(re.compile(r"/v1/search/photos$"), lambda route: route.fulfill(json=told))
    page.goto("/")
    group = page.get_by_role("group", name="brand")
    group.get_by_role("button", name="Acme|Co").press("Enter")
    expect(group.get_by_role("button", name="Acme|Co")).to_be_focused()
    page.get_by_role("group", name="is new").get_by_role("button", name="yes").click()
    page.get_by_role("group", name="a:b").get_by_role("button", name="x").click()
    page.get_by_role("group", name="year").get_by_label("From").fill("-3")
    page.get_by_role("group", name="year").get_by_label("To").fill("1999.5")
    page.get_by_role("group", name="updated at").get_by_label("To").fill("2026-11-30")
    expect(page.get_by_role("group", name="title")).to_have_count(0)
    expect(page.get_by_role("group", name="n4")).to_be_hidden()
    page.get_by_text("More filters").press("Enter")
    page.get_by_role("group", name="n4").get_by_label("From").fill("1")
    page.get_by_role("group", name="n4").get_by_label("From").press("Enter")
    expect(page.get_by_role("group", name="n4")).to_be_visible()  # what was opened stays open
    page.reload()
    expect(page.get_by_role("group", name="year").get_by_label("From")).to_have_value("-3")
    with page.expect_request(re.compile(r"/v1/search/photos\?")) as asked:
        page.set_input_files("#file", str(photo))
    filters = parse_qs(urlsplit(asked.value.url).query)["filter"]
    kinds = {field["name"]: field["kind"] for field in told["fields"]}
    wanted = ["brand:Acme\\|Co", "is_new:true", "a:b:x", "year:>=-3", "year:<=1999.5", "updated_at:<=2026-11-30", "n4:>=1"]
    assert parse_filters(filters, kinds) == parse_filters(wanted, kinds)


def test_each_family_is_filtered_by_what_it_has(page: Page) -> None:
    families = [{"family": name, "serving": name, "url": f"/v1/search/{name}", "ready": True} for name in ("photos", "logos")]
    page.route(re.compile(r"/v1/search/$"), lambda route: route.fulfill(json={"families": families}))
    values = [{"value": value, "items": 3} for value in ("round", "square")]
    told = {"fields": [{"name": "category", "kind": "text", "values": values, "other": 0}]}
    page.route(re.compile(r"/v1/search/logos$"), lambda route: route.fulfill(json=told))
    page.goto("/")
    group = page.get_by_role("group", name="Category")
    expect(group.get_by_role("button", name=re.compile("^lamps"))).to_be_visible()
    expect(page.locator("#samples")).to_contain_text("a picture of one of the catalogues")
    page.get_by_role("button", name="logos").click()
    expect(group.get_by_role("button")).to_have_text(["round3", "square3"])
    page.get_by_role("button", name="photos").click()
    expect(group.get_by_role("button", name=re.compile("^lamps"))).to_be_visible()


def test_a_family_that_is_not_ready_is_said_so_and_asked_again(page: Page) -> None:
    page.route(
        re.compile(r"/v1/search/photos$"),
        lambda route: route.fulfill(status=503, content_type="application/problem+json", body='{"detail": "waiting for the first cover"}'),
    )
    page.goto("/")
    expect(page.locator("#unready")).to_contain_text("waiting for the first cover")
    expect(page.locator(".sample").first).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Search by sample picture 1").click()
    expect(page.get_by_role("group", name="Category")).to_be_visible()


def test_filters_that_leave_nothing_can_be_removed(page: Page, site: Site) -> None:
    page.goto(f"/?family=photos&item={site.catalogue[0]['id']}&from=100000")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_role("button", name="Remove the filters").click()
    expect(page.locator(CARDS)).to_have_count(24)


def test_more_is_shown_on_request(page: Page, photo: Path, site: Site) -> None:
    search_by(page, photo)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(CARDS)).to_have_count(48)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(CARDS)).to_have_count(len(site.catalogue))
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_a_part_that_is_missing_is_said(page: Page, photo: Path, mode: Path) -> None:
    mode.write_text("partial")
    search_by(page, photo)
    expect(page.locator("#notices")).to_contain_text("A part is missing. 1 of 1 indexes did not answer")


def test_an_error_is_told_in_the_servers_words_and_tried_again(page: Page, photo: Path, mode: Path) -> None:
    mode.write_text("broken")
    page.goto("/")
    page.set_input_files("#file", str(photo))
    expect(page.get_by_role("alert")).to_contain_text("Not ready. The index is being loaded; try again.")
    mode.unlink()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(CARDS)).to_have_count(24)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_file_that_is_no_picture_is_explained(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "fake.jpg"
    path.write_text("<svg/>")
    page.goto("/")
    page.set_input_files("#file", str(path))
    expect(page.get_by_role("alert")).to_contain_text("This file is not a picture we can read. Try a JPEG or PNG photo")
    expect(page.get_by_alt_text("The photo you searched by")).to_have_count(0)  # no broken image stands there
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    with page.expect_file_chooser():
        page.get_by_role("button", name="Choose another photo").click()


def test_a_chosen_file_that_is_no_picture_is_not_searched_by(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,pictures")
    page.goto("/")
    page.set_input_files("#file", str(path))
    expect(page.get_by_role("status").filter(has_text="items.csv is no picture")).to_be_visible()
    expect(page.locator("#start")).to_be_visible()


def test_an_item_that_is_gone_is_explained(page: Page) -> None:
    page.goto("/?family=photos&item=nope")
    expect(page.get_by_role("alert")).to_contain_text("No item 'nope'")


def test_likeness_is_a_measure_that_is_read_out(page: Page, photo: Path) -> None:
    search_by(page, photo)
    first = page.locator(CARDS).first
    likeness = first.get_by_role("meter", name=f"Likeness of {first.locator('.title').inner_text()}")
    expect(likeness).to_have_attribute("aria-valuenow", "97")
    expect(likeness).to_have_attribute("aria-valuetext", "0.970 of 1")


def test_a_picture_that_is_missing_does_not_break_its_card(page: Page, photo: Path, site: Site) -> None:
    page.route("**/v1/pictures/**", lambda route: route.fulfill(status=404, body="{}"))
    search_by(page, photo)
    expect(page.locator(CARDS).first).to_contain_text("picture not available")


def test_titles_are_text_and_never_markup(page: Page, photo: Path) -> None:
    def with_markup(route) -> None:
        answer = route.fetch()
        said = answer.json()
        said["items"] = [{**said["items"][0], "title": "<img src=x onerror=alert(1)>", "category": "</li><b>x"}]
        route.fulfill(response=answer, body=json.dumps(said))

    page.route(re.compile(r"/v1/search/photos\?k="), with_markup)
    page.goto("/")
    page.set_input_files("#file", str(photo))
    expect(page.locator(".item .title")).to_have_text("<img src=x onerror=alert(1)>")
    assert page.locator(".item b").count() == 0


def test_several_families_can_be_chosen(page: Page, photo: Path) -> None:
    families = [{"family": name, "serving": name, "url": f"/v1/search/{name}", "ready": True} for name in ("photos", "logos")]
    page.route(re.compile(r"/v1/search/$"), lambda route: route.fulfill(json={"families": families}))
    page.goto("/")
    group = page.get_by_role("group", name="What to search")
    expect(group.get_by_role("button", name="photos")).to_have_attribute("aria-pressed", "true")
    group.get_by_role("button", name="logos").click()
    expect(page).to_have_url(re.compile("family=logos"))
    expect(group.get_by_role("button", name="logos")).to_have_attribute("aria-pressed", "true")


def test_without_a_family_the_way_to_one_is_shown(page: Page) -> None:
    page.route(re.compile(r"/v1/search/$"), lambda route: route.fulfill(json={"families": []}))
    page.goto("/")
    expect(page.get_by_role("heading", name="Nothing to search yet")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("lykeion run")


def test_a_platform_that_is_gone_is_said_so(page: Page, photo: Path, context: BrowserContext) -> None:
    page.goto("/")
    expect(page.locator(".sample").first).to_be_visible()
    context.set_offline(True)
    page.set_input_files("#file", str(photo))
    expect(page.get_by_role("alert")).to_contain_text("No connection")
