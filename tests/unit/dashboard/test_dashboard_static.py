"""The pages' own files: nothing from elsewhere, nothing inline, nothing missing."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
from dashboard_calls import Platform

from lykeion.dashboard.app import STATIC
from lykeion.dashboard.pages import NOWHERE, PAGES, Page, whole

HTML = sorted({*PAGES.values(), NOWHERE})
SCRIPTS = sorted(STATIC.rglob("*.js"))


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("page", HTML, ids=lambda page: page.main)
def test_a_page_holds_to_the_content_policy(page: Page) -> None:
    tags = Reader(whole(page)).tags
    for tag, attributes in tags:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src")
        for name in ("src", "href"):
            assert not (attributes.get(name) or "").startswith(("http:", "https:", "//")), attributes


@pytest.mark.parametrize("page", HTML, ids=lambda page: page.main)
def test_a_page_can_be_read_out(page: Page) -> None:
    tags = Reader(whole(page)).tags
    assert dict(tags)["html"]["lang"] == "en"
    assert any(tag == "main" for tag, _ in tags)
    assert all("alt" in attributes for tag, attributes in tags if tag == "img")
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("page", HTML, ids=lambda page: page.main)
def test_a_page_is_its_own_part_in_the_shell_of_all(page: Page) -> None:
    text = whole(page)
    assert "{{" not in text
    assert f"<title>{page.title}</title>" in text
    assert f'src="./static/js/{page.script}"' in text
    assert text.count("<main ") == text.count("</main>") == text.count("<nav ") == 1


def test_every_file_that_a_page_names_is_there() -> None:
    for page in HTML:
        for _, attributes in Reader(whole(page)).tags:
            for name in ("src", "href"):
                if (attributes.get(name) or "").startswith("./static/"):
                    assert (STATIC / str(attributes[name]).removeprefix("./static/")).is_file(), attributes


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("prefix", ["", "/lykeion", "/a/b"])
def test_what_a_page_names_is_found_below_whatever_prefix_it_is_served(platform: Platform, path: str, prefix: str) -> None:
    """As the browser resolves it, where a proxy takes the prefix away and nobody told us of it."""
    asked = path.replace("{name}", "one")
    named = [attributes.get("src") or attributes.get("href") for _, attributes in Reader(platform.ask(asked).body.decode()).tags]
    links = [link for link in named if link and not link.startswith("#")]
    assert len(links) >= 10
    for link in links:
        resolved = urljoin(f"http://lab.example{prefix}{asked}", link).removeprefix("http://lab.example")
        assert resolved.startswith(f"{prefix}/"), link
        assert platform.ask(resolved.removeprefix(prefix)).status == 200, link


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(STATIC)))
def test_a_script_imports_what_is_there_and_reads_no_html(script: Path) -> None:
    text = script.read_text()
    for found in re.findall(r'^import .*?"([^"]+)";', text, re.MULTILINE):
        assert found.startswith("."), found
        target = (script.parent / found).resolve()
        assert target.is_file(), found
    for name, source in re.findall(r'^import \{ ([^}]+) \} from "([^"]+)";', text, re.MULTILINE):
        exported = (script.parent / source).resolve().read_text()
        for one in name.split(", "):
            assert re.search(rf"export (async )?(function\*?|const|class) {re.escape(one)}\b", exported), (script.name, one)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)


def test_the_sheet_takes_nothing_from_elsewhere_and_uses_its_own_colours() -> None:
    text = (STATIC / "lykeion.css").read_text()
    assert "url(" not in text
    assert "@import" not in text
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", text)) <= set(re.findall(r"(--[a-z0-9-]+):", text))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(theme: int) -> None:
    text = (STATIC / "lykeion.css").read_text()
    blocks = re.findall(r":root \{(.*?)\n *\}", text, re.DOTALL)
    declared = r"(--[a-z0-9-]+): (#[0-9a-f]{6});"
    colour = dict(re.findall(declared, blocks[0])) | dict(re.findall(declared, blocks[theme]))
    pairs = [(ink, behind) for ink in ("--ink", "--muted", "--faint") for behind in ("--canvas", "--surface")]
    pairs += [(f"--{tone}", f"--{tone}-soft") for tone in ("good", "bad", "warn", "info")]
    pairs += [
        ("--faint", "--raised"),
        ("--ink", "--raised"),
        ("--log-ink", "--log"),
        *((f"--ink-{number}", "--log") for number in range(16)),
    ]
    pairs += [("--on-accent", "--accent"), ("--accent-strong", "--surface"), ("--accent-strong", "--accent-soft"), ("--muted", "--sunken")]
    weak = {
        pair: round(contrast(colour[pair[0]], colour[pair[1]]), 2) for pair in pairs if contrast(colour[pair[0]], colour[pair[1]]) < 4.5
    }
    assert weak == {}
    edges = {behind: round(contrast(colour["--edge"], colour[behind]), 2) for behind in ("--raised", "--surface", "--canvas")}
    assert min(edges.values()) >= 3, edges


@pytest.mark.parametrize("path", [path.replace("{name}", "some-name") for path in PAGES])
def test_every_page_can_be_linked_to(platform: Platform, path: str) -> None:
    answer = platform.ask(path)
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert answer.headers["cache-control"] == "no-cache"


def test_files_are_kept_by_browsers_and_asked_about(platform: Platform) -> None:
    first = platform.ask("/static/lykeion.css")
    assert first.headers["cache-control"] == "no-cache"
    assert platform.ask("/static/lykeion.css", headers={"if-none-match": first.headers["etag"]}).status == 304
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/nope.js", "/static/"):
        assert platform.ask(path).status == 404
