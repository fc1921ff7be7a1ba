"""A platform in which nothing is yet, for the pages that say so."""

import re

from playwright.sync_api import Page

SYNCED = "event: synced\ndata: {}\n\n"


def nothing_yet(page: Page) -> None:
    """From now on the page is told of no resource, no model and no family."""
    page.route("**/api/v1/watch", lambda route: route.fulfill(body=SYNCED, content_type="text/event-stream"))
    page.route(re.compile(r"/api/v1/models$"), lambda route: route.fulfill(json={"items": []}))
    page.route(re.compile(r"/v1/search/$"), lambda route: route.fulfill(json={"families": []}))
