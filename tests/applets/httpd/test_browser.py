"""The box's page in a real browser.  Breaks when its script, its style or its security policy stop one another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.applets.httpd.browser import Browser
from tests.applets.httpd.fake_init import service
from tests.applets.httpd.test_box_page import Box, start, stored

__all__ = ["start", "stored"]

LIVE = "document.querySelector('#live')?.textContent === 'live'"


def test_a_visit(start: Callable[..., Box], tmp_path: Path) -> None:
    box = start()
    address = f"http://127.0.0.1:{box.daemon.port}"
    with Browser(tmp_path) as browser:
        browser.go(address)
        browser.type("#password", "wrong")
        browser.click("button.main")
        browser.wait("document.querySelector('.wrong')?.textContent.includes('wrong')")
        browser.type("#password", "correct horse")
        browser.click("button.main")
        browser.wait(LIVE)
        # What changes in the box changes on the page, without a reload.
        browser.run("window.kept = true")
        box.init.services["hello"] = service("hello", "backoff", exit="signal 9")
        browser.wait("document.body.innerText.includes('signal 9')")
        box.init.log("hello", "a fresh line")
        browser.wait("document.querySelector('#tail-hello').innerText.includes('a fresh line')")
        assert browser.run("return window.kept") is True
        # A button works, and leads back here.
        browser.click("button[formaction$='/services/hello/restart']")
        browser.wait(f"{LIVE} && !window.kept && document.body.innerText.includes('running')")
        assert {"verb": "restart", "names": ["hello"]} in box.init.asked
        # A service's page with its log.
        browser.click("a[href$='/services/hello']")
        browser.wait(f"{LIVE} && document.querySelector('#log').innerText.includes('a fresh line')")
        box.init.log("hello", "<b>another</b> line")
        browser.wait("document.querySelector('#log').innerText.includes('<b>another</b> line')")
        # A page that nobody sees gives its connections back, and catches up afterwards.
        hide = (
            "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        browser.run(hide, True)
        box.init.log("hello", "while away")
        browser.run(hide, False)
        browser.wait("document.querySelector('#log').innerText.includes('while away')")
        assert browser.run("return document.querySelector('#log').innerText").count("another") == 1
        # On a phone nothing is wider than the screen.
        browser.resize(390, 844)
        root = str(browser.run("return location.pathname")).removesuffix("/services/hello")
        assert root.startswith("/~")
        for path in ("/", "/services/hello", "/log"):
            browser.go(address + root + path)
            assert browser.run("return document.documentElement.scrollWidth") <= 390, path
        # The plain address leads to the login's pages; the cookie is nobody else's.
        browser.go(address)
        browser.wait(f"{LIVE} && location.pathname === '{root}/'")
        assert browser.run("return document.cookie") == ""
        browser.click("form[action$='/logout'] button")
        browser.wait("document.querySelector('#password')")
        # After that the plain address asks for the password again, and so does a page whose login has ended.
        for place in (address, f"{address}{root}/log"):
            browser.go(place)
            browser.wait("document.querySelector('#password') && location.pathname === '/login'")
        serious = [one for one in browser.complaints() if "403" not in one]
        assert serious == []
