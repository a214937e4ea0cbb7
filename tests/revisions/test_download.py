"""A revision is downloaded from a real web server over HTTPS, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from logwarden.errors import LogwardenError
from logwarden.revisions import Revision, open_revision
from tests.revisions.builders import make_revision

if shutil.which("openssl") is None:
    pytest.skip("openssl is needed to make a certificate", allow_module_level=True)
pytest.importorskip("aiohttp", reason="fsspec reads https:// with aiohttp")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and keeps the paths that were asked for."""

    asked: list[str]

    def log_request(self, code: object = "-", size: object = "-") -> None:
        self.asked.append(self.path)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate for localhost in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", "key", "-out", "cert"], cwd=folder, check=True, capture_output=True)
    (folder / "both").write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return folder / "both"


@pytest.fixture
def revision(tmp_path: Path) -> Revision:
    return make_revision(tmp_path / "served")


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def base(revision: Revision, certificate: Path, asked: list[str]) -> Iterator[str]:
    """Address of a server of the folder of revisions."""
    handler = partial(type("Handler", (QuietHandler,), {"asked": asked}), directory=str(revision.path.parent))
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


Show = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def show(certificate: Path, tmp_path: Path) -> Show:
    """Run ``logwarden models show URI`` with an empty home folder and trust in the server's certificate."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SSL_CERT_FILE": str(certificate)}

    def run(uri: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "logwarden", "models", "show", uri]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / ".cache" / "logwarden" / "revisions"


def test_a_revision_is_downloaded_once(
    base: str, revision: Revision, asked: list[str], show: Show, cache: Path
) -> None:
    first = show(f"{base}/{revision.id}")
    assert (first.returncode, first.stderr) == (0, "")
    assert json.loads(first.stdout)["digest"] == revision.manifest.digest
    assert open_revision(cache / revision.id, verify=True).manifest == revision.manifest
    asked.clear()
    assert show(f"{base}/{revision.id}/").stdout == first.stdout
    assert {path.rpartition("/")[2] for path in asked} == {"manifest.json"}


def test_damage_on_the_way_leaves_nothing(base: str, revision: Revision, show: Show, cache: Path) -> None:
    (revision.path / "model.onnx").write_text("WEIGHTS")
    result = show(f"{base}/{revision.id}")
    assert result.returncode == 1
    assert "model.onnx: 7 bytes came that are not the manifest's file: try again" in result.stderr
    assert list(cache.iterdir()) == []


def test_a_manifest_that_leads_outside_is_refused(base: str, revision: Revision, show: Show, cache: Path) -> None:
    path = revision.path / "manifest.json"
    values = json.loads(path.read_text())
    values["files"] = {"../../escape": {"sha256": "0" * 64, "size": 1}}
    path.write_text(json.dumps(values))
    result = show(f"{base}/{revision.id}")
    assert result.returncode == 2
    assert "a file path has parts of letters" in result.stderr
    assert not cache.exists()


def test_nothing_there_is_wrong_input(base: str, show: Show) -> None:
    result = show(f"{base}/nope")
    assert result.returncode == 2
    assert "no model revision there" in result.stderr


def test_an_unreachable_server_is_a_failure(show: Show) -> None:
    result = show("https://localhost:1/x")
    assert result.returncode == 1
    assert "the download failed: ClientConnectorError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_certificate_nobody_trusts_is_a_failure(base: str, revision: Revision, tmp_path: Path) -> None:
    with pytest.raises(LogwardenError, match="the download failed: ClientConnectorCertificateError"):
        open_revision(f"{base}/{revision.id}", cache_dir=tmp_path / "cache")
