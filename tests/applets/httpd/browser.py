"""A headless browser, driven by the WebDriver protocol (W3C) with nothing but the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update --disable-dev-shm-usage"
    " --no-proxy-server"
)


class Browser:
    """`with Browser(tmp_path) as b: b.go(url); b.text("h1")`."""

    def __init__(self, folder: Path, width: int = 1100, height: int = 900) -> None:
        driver = shutil.which("chromedriver")
        if driver is None:
            raise FileNotFoundError(
                "chromedriver: install the packages chromium and chromium-driver"
            )
        self.log = (folder / "chromedriver.log").open("wb")
        self.process = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=self.log
        )
        try:
            self._begin(folder, width, height)
        except BaseException:
            self.process.kill()
            raise

    def _begin(self, folder: Path, width: int, height: int) -> None:
        self.port = self._port()
        arguments = [
            *FLAGS.split(),
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
        ]
        options = {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        self.session = f"/session/{answer['sessionId']}"

    def _port(self) -> int:
        if self.process.stdout is None:
            raise RuntimeError("no output")
        for line in self.process.stdout:
            if b"successfully on port " in line:
                return int(line.rpartition(b"on port ")[2].strip().rstrip(b"."))
        raise RuntimeError("chromedriver did not start")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            self._call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait(10)
            self.log.close()

    def _call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        text = json.dumps(body if body is not None else {}) if method == "POST" else None
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['message'][:300]}")
        return answer

    def go(self, url: str) -> None:
        self._call("POST", f"{self.session}/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        return self._call(
            "POST", f"{self.session}/execute/sync", {"script": script, "args": arguments}
        )

    def wait(self, condition: str, seconds: float = 20) -> Any:
        """Poll a JavaScript expression until it is true."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if value := self.run(f"return {condition}"):
                    return value
            except RuntimeError:
                pass  # the page is just being replaced
            time.sleep(0.05)
        raise AssertionError(
            f"not true within {seconds} s: {condition}; page: {self.run('return document.body.innerText')}"
        )

    def element(self, selector: str) -> str:
        found = self._call(
            "POST", f"{self.session}/element", {"using": "css selector", "value": selector}
        )
        return f"{self.session}/element/{next(iter(found.values()))}"

    def click(self, selector: str) -> None:
        self._call("POST", f"{self.element(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self._call("POST", f"{self.element(selector)}/value", {"text": text})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", f"{self.session}/screenshot")))

    def dark(self, on: bool) -> None:
        """Emulate the preference for dark pages (Chrome DevTools Protocol)."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self._call(
            "POST",
            f"{self.session}/goog/cdp/execute",
            {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}},
        )

    def resize(self, width: int, height: int, mobile: bool = True) -> None:
        self._call(
            "POST",
            f"{self.session}/goog/cdp/execute",
            {
                "cmd": "Emulation.setDeviceMetricsOverride",
                "params": {
                    "width": width,
                    "height": height,
                    "deviceScaleFactor": 1,
                    "mobile": mobile,
                },
            },
        )

    def complaints(self) -> list[str]:
        """What the browser's console says: errors of scripts, refusals by the security policy."""
        entries = self._call("POST", f"{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]
