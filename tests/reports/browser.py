"""A real browser for tests: it opens a report and keeps what the page said, broke and asked for."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ELSEWHERE = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)
# A container's root has no sandbox to offer, and the pages are our own. The rest keeps the browser's own requests away.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-component-update", "--disable-sync"]


def find_browser() -> str | None:
    """Chromium or Chrome on this machine."""
    return next(filter(None, map(shutil.which, (*NAMES, *ELSEWHERE))), None)


def require_browser() -> str:
    """The browser; without one the test is skipped, or fails where CI is set: CI must not skip what it is there for."""
    if browser := find_browser():
        return browser
    reason = f"no Chromium or Chrome on this machine (looked for {', '.join(NAMES)})"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI is set", pytrace=False)
    pytest.skip(reason)


def launch() -> Iterator[Browser]:
    """Runs the browser, headless."""
    path = require_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One page in a tab of its own.

    Attributes:
        page: what Playwright controls.
        messages: what the page wrote to the console.
        errors: exceptions that nothing caught.
        requests: every address that was asked for, the page's own apart.
    """

    page: Page
    messages: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def complaints(self) -> list[str]:
        """All that a good page from a file has none of."""
        return [*self.messages, *self.errors, *self.requests]

    def drawn(self) -> Page:
        """The page once all its charts are drawn, those out of sight too."""
        # Not `wait_for_function`, which evaluates a string: the page's policy forbids it.
        # The largest report takes seconds on a free machine, and ten times as long beside other work.
        self.page.wait_for_selector('html[data-charts="drawn"]', state="attached", timeout=120_000)
        return self.page


def visit(context: BrowserContext, address: str) -> Visit:
    """Opens an address, and waits until the page's script has run."""
    page = context.new_page()
    seen = Visit(page)
    page.on("console", lambda message: seen.messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    own = address.split("#")[0]
    page.on("request", lambda request: request.url.split("#")[0] == own or seen.requests.append(request.url))
    page.goto(address)
    return seen


def address(path: Path, state: str = "") -> str:
    """The address of a file, with what stands behind its `#`."""
    return path.resolve().as_uri() + (f"#{state}" if state else "")
