"""What others wrote, on the page: a terminal's colours and commands in logs, characters that hide or turn round what follows."""

import json
import random
import re
from pathlib import Path

import pytest
from browser_catalogue import draw
from browser_site import Site
from playwright.sync_api import Page, expect

from lykeion.core.resources import Condition, StepStatus, Training, TrainingStatus

pytestmark = pytest.mark.browser
READ = """async (parts) => {
    const { Terminal } = await import("/static/js/terminal.js");
    const terminal = new Terminal();
    return [...parts.flatMap((part) => terminal.read(part)), ...terminal.end()];
}"""
PLAIN = """async (text) => (await import("/static/js/terminal.js")).plain(text)"""
ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WORDS = [
    "plain", "<b>x</b>", "é", " ", "\n", "\r\n", "\r", "\t", "\x1b", "\x1b[", "\x1b[31m", "\x1b[0m", "\x1b[1;38;5;208m", "\x1b[2J", "\x1b[?25l",
    "\x1b]", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1b]52;c;eA==\x07", "\x1bP", "\x1bc", "\x9b31m", "\x9d", "\x07", "\x08", "\x00", "\u202e", "\u2066",
]  # fmt: skip


def ended(site: Site, name: str, log: str, message: str = "") -> None:
    """A failed Training of one step that wrote this log."""
    spec = {"pipelineRef": {"name": "photo-search"}, "parameters": {}}
    made = site.platform.resources.create(Training.model_validate({"metadata": {"name": name}, "spec": spec}))
    step = StepStatus(name="work", phase="Failed", reason="Error", message=message)
    told = Condition(type="Succeeded", status="False", reason="Error", message=f"step work: {message}")
    site.platform.resources.write_status(
        made.model_copy(update={"status": TrainingStatus(phase="Failed", steps=(step,), conditions=(told,))})
    )
    path = site.platform.home.logs / name / "work.log"
    path.parent.mkdir(parents=True)
    path.write_text(log, newline="")


def test_colours_of_a_log_are_colours_and_every_other_command_is_nothing(page: Page, site: Site) -> None:
    log = (
        "\x1b[2J\x1b[1;31mError\x1b[0m: \x1b[38;5;40mgreen\x1b[39m, \x1b[38;2;255;210;60myellow\x1b[m and \x1b[4munder\x1b[24m\r\n"
        "\x1b]0;PWN\x07\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\ \x1b]52;c;cm0gLXJm\x07<img src=x onerror=alert(1)>\x1b[8mhidden\x1b[0m\n"
        "bell\x07 and \u202eabc\n"
    )
    ended(site, "coloured", log)
    page.goto("/trainings/coloured")
    shown = page.get_by_label("Log of work")
    expect(shown).to_contain_text("bell")
    assert shown.inner_text() == ("Error: green, yellow and under\nlink <img src=x onerror=alert(1)>hidden\nbell\u2407 and [U+202E]abc\n")
    assert shown.locator("img, a").count() == 0
    pieces = shown.evaluate("log => [...log.querySelectorAll('span')].map((one) => [one.textContent, one.className])")
    assert pieces == [["Error", "ink-1 bold"], ["green", "ink-10"], ["yellow", "ink-11"], ["under", "underline"]]
    behind, colours = shown.evaluate(
        "log => [getComputedStyle(log).color, [...log.querySelectorAll('[class*=ink]')].map((one) => getComputedStyle(one).color)]"
    )
    assert len({behind, *colours}) == 4


def test_a_log_is_the_same_however_its_bytes_arrive_and_holds_nothing_that_hides(page: Page) -> None:
    page.goto("/docs")
    chance = random.Random(7)
    for _ in range(150):
        text = "".join(chance.choices(WORDS, k=chance.randint(1, 14)))
        cuts = sorted(chance.choices(range(len(text) + 1), k=3))
        parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        whole, split = (joined(page.evaluate(READ, given)) for given in ([text], parts))
        assert whole == split, (text, parts)
        assert "".join(written for written, _ in whole) == page.evaluate(PLAIN, text), text
        assert not ODD.search(page.evaluate(PLAIN, text)), text


def joined(pieces: list[dict[str, str]]) -> list[tuple[str, str]]:
    """Pieces of one style after each other as one."""
    found: list[tuple[str, str]] = []
    for piece in pieces:
        if found and found[-1][1] == piece["style"]:
            found[-1] = (found[-1][0] + piece["text"], piece["style"])
        else:
            found.append((piece["text"], piece["style"]))
    return found


@pytest.mark.parametrize(
    "hostile", ["\x9d" * 200_000, "\x1b]" * 100_000, "\x1b[" + "0;" * 100_000 + "m", "\x1b[38;5m\x1b[38;2;1m\x1b[999;;m" * 9_000]
)
def test_no_log_can_stop_the_page(page: Page, hostile: str) -> None:
    page.goto("/docs")
    pieces = page.evaluate(READ, [hostile[:1000], hostile[1000:], "done"])
    assert pieces[-1]["text"].endswith("done")


def test_a_message_shows_what_is_not_seen_and_no_commands(page: Page, site: Site) -> None:
    ended(site, "messages", "", message="\x1b[31mValueError\x1b[0m: \u202egnp.exe\x07 <i>x</i>")
    page.goto("/trainings/messages")
    expect(page.locator(".step .notice")).to_have_text("ValueError: [U+202E]gnp.exe\u2407 <i>x</i>")
    expect(page.get_by_role("alert").first).to_contain_text("step work: ValueError: [U+202E]gnp.exe")


def test_a_title_cannot_turn_round_what_follows_it(page: Page, tmp_path: Path) -> None:
    def turned(route) -> None:
        answer = route.fetch()
        said = answer.json()
        said["items"] = [{**said["items"][0], "title": "\u202eevil\x1b[2J \u05e9\u05dc\u05d5\u05dd"}]
        route.fulfill(response=answer, body=json.dumps(said))

    (tmp_path / "photo.png").write_bytes(draw("bags", 3))
    page.route(re.compile(r"/v1/search/photos\?k="), turned)
    page.goto("/")
    page.set_input_files("#file", str(tmp_path / "photo.png"))
    expect(page.locator(".item .title")).to_have_text("[U+202E]evil \u05e9\u05dc\u05d5\u05dd")
    expect(page.get_by_role("img", name="[U+202E]evil")).to_be_visible()
