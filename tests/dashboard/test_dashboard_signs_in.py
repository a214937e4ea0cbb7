"""Signing in by OpenID Connect, with a browser, the real dashboard and a small provider."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, expect

from logwarden.dashboard.login import EMAILS_VARIABLE, LOGIN_VARIABLE
from tests.dashboard.conftest import free_port, wait_until_served

pytestmark = pytest.mark.browser

_PATIENCE = 120_000


class Provider(http.server.ThreadingHTTPServer):
    """Knows one person, and asks that one for nothing."""

    def __init__(self, email: str) -> None:
        self.email, self.nonce = email, ""
        self.key = RSAKey.generate_key(2048, {"kid": "test"}, private=True)
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def token(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "sub": "1", "aud": "logwarden", "iat": now, "exp": now + 600, "nonce": self.nonce}
        claims |= {"email": self.email, "email_verified": True}
        signed = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.key)
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": signed}

    def about(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/authorize":
            self.server.nonce = query.get("nonce", [""])[0]
            self.send_response(302)
            back = urlencode({"code": "c", "state": query["state"][0]})
            self.send_header("Location", f"{query['redirect_uri'][0]}?{back}")
            self.end_headers()
        else:
            keys = {"keys": [self.server.key.as_dict(private=False)]}
            self._answer(keys if path == "/keys" else self.server.about())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.server.token())

    def _answer(self, value: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: object) -> None: ...


@contextmanager
def asking_for_a_login(folder: Path, provider: Provider, emails: str) -> Iterator[str]:
    """Run the dashboard as the chart does."""
    port = free_port()
    url = f"http://localhost:{port}"
    settings = {
        "redirect_uri": f"{url}/oauth2callback",
        "cookie_secret": "a-long-random-text-for-a-test-only",
        "client_id": "logwarden",
        "client_secret": "s",
        "server_metadata_url": f"{provider.url}/.well-known/openid-configuration",
    }
    secrets = folder / "secrets.toml"
    secrets.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    options = ["--server.address=127.0.0.1", f"--server.port={port}", f"--secrets.files={secrets}"]
    environment = {
        **os.environ, "LOGWARDEN_STORE": str(folder / "none.db"), LOGIN_VARIABLE: "required", EMAILS_VARIABLE: emails,
    }  # fmt: skip
    command = [sys.executable, "-m", "logwarden.dashboard", *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)
    try:
        wait_until_served(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider("ann@example.com")
    yield provider
    provider.close()


@pytest.mark.parametrize(
    ("emails", "words"),
    [("*@example.com", "Overview"), ("*@example.org", "ann@example.com may not see these pages.")],
)
def test_who_signs_in_sees_the_pages_or_why_not(
    browser: Browser, provider: Provider, tmp_path: Path, emails: str, words: str
) -> None:
    with asking_for_a_login(tmp_path, provider, emails) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.get_by_text("Sign in to see anomalies and logs.")).to_be_visible(timeout=_PATIENCE)
        expect(page.get_by_text("Overview")).to_have_count(0)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text(words).first).to_be_visible(timeout=_PATIENCE)
        page.close()
