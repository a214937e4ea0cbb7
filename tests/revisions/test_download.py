"""A revision is downloaded from a real web server over HTTPS, whole or not at all."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from logwarden.errors import InvalidInputError, LogwardenError
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
def base(revision: Revision, certificate: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a server of the folder of revisions."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
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


def test_a_revision_is_downloaded_once(base: str, revision: Revision, asked: list[str], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = open_revision(f"{base}/{revision.id}", cache_dir=cache)
    assert first.path == cache / revision.id
    assert first.manifest == revision.manifest
    assert first.file("model.onnx").read_text() == "weights"
    asked.clear()
    assert open_revision(f"{base}/{revision.id}/", cache_dir=cache) == first
    assert {path.rpartition("/")[2] for path in asked} == {"manifest.json"}


def test_damage_on_the_way_leaves_nothing(base: str, revision: Revision, tmp_path: Path) -> None:
    (revision.path / "model.onnx").write_text("WEIGHTS")
    with pytest.raises(LogwardenError, match=r"model\.onnx: 7 bytes came that are not the manifest's file"):
        open_revision(f"{base}/{revision.id}", cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_manifest_that_leads_outside_is_refused(base: str, revision: Revision, tmp_path: Path) -> None:
    path = revision.path / "manifest.json"
    values = json.loads(path.read_text())
    values["files"] = {"../../escape": {"sha256": "0" * 64, "size": 1}}
    path.write_text(json.dumps(values))
    with pytest.raises(InvalidInputError, match="a file path has parts of letters"):
        open_revision(f"{base}/{revision.id}", cache_dir=tmp_path / "cache")
    assert not (tmp_path / "escape").exists()


def test_nothing_there_is_said(base: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no model revision there"):
        open_revision(f"{base}/nope", cache_dir=tmp_path / "cache")


def test_an_unreachable_server_is_said(base: str, tmp_path: Path) -> None:
    with pytest.raises(LogwardenError, match="the download failed"):
        open_revision("https://localhost:1/x", cache_dir=tmp_path / "cache")
