"""Listeners with TLS, with certificates made for the test by openssl and clients that check them."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from logwarden.store import Store
from tests.services.certificates import HOST, Authority, openssl

from .conftest import PIPELINE, SECONDS, Start, Up
from .test_up import FREE, fail, wait_until_stored

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

LISTENER = "        - {{name: tls, transport: TLS, port: 6514, tlsSecretRef: {{name: logs}}, clientAuth: {auth}}}\n"
LINE = "<38>Mar  1 12:00:00 srv1 sshd[7]: Failed password for root"


def with_tls(auth: str = "None") -> str:
    return PIPELINE.replace("    http:", LISTENER.format(auth=auth) + "    http:")


WITH_HTTPS = PIPELINE.replace("port: 8080}", "port: 8080, tlsSecretRef: {name: logs}, tokenSecretRef: {name: logs}}")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="session")
def server(authority: Authority) -> tuple[Path, Path]:
    return authority.sign("server")


@pytest.fixture
def secrets(tmp_path: Path, authority: Authority, server: tuple[Path, Path]) -> Path:
    """A folder of Secrets: one with certificate, key, authority and a token."""
    folder = tmp_path / "secrets" / "logs"
    folder.mkdir(parents=True)
    shutil.copy(server[0], folder / "tls.crt")
    shutil.copy(server[1], folder / "tls.key")
    shutil.copy(authority.folder / "ca.crt", folder / "ca.crt")
    (folder / "token").write_text("s3cret\n")
    return folder.parent


def trusting(authority: Authority, *, client: str | None = None) -> ssl.SSLContext:
    """A client that checks the server's certificate, and shows one of its own if it has a name."""
    context = ssl.create_default_context(cafile=str(authority.folder / "ca.crt"))
    if client is not None:
        context.load_cert_chain(*authority.sign(client))
    return context


def send(port: int, context: ssl.SSLContext, data: bytes) -> None:
    """Send bytes and wait until the server has said goodbye too, so that a refusal is seen."""
    plain = socket.create_connection((HOST, port), timeout=SECONDS)
    with plain, context.wrap_socket(plain, server_hostname=HOST) as tls:
        tls.sendall(data)
        tls.unwrap()


def send_in_vain(port: int, context: ssl.SSLContext) -> None:
    """Send a line that must not arrive. With TLS 1.3 a client may be done before it hears of its refusal."""
    with contextlib.suppress(OSError):
        send(port, context, framed(LINE))


def framed(text: str) -> bytes:
    return f"{len(text)} {text}".encode()


def start(up: Start, tmp_path: Path, secrets: Path, text: str, *options: str) -> Up:
    file = tmp_path / "tls.yaml"
    file.write_text(text)
    one = up("--data-dir", str(tmp_path / "d"), "--secrets", str(secrets), *options, file=file)
    one.wait_for("Stop with Ctrl-C")
    return one


def test_syslog_over_tls_is_stored_with_its_frames(
    up: Start, tmp_path: Path, secrets: Path, authority: Authority
) -> None:
    one = start(up, tmp_path, secrets, with_tls(), "--port=tls=0")
    two_rows = "<14>1 2026-03-01T12:00:00Z r1 app - - - first row\nsecond row"
    send(one.port("syslog TLS"), trusting(authority), framed(LINE) * 500 + framed(two_rows))
    wait_until_stored(tmp_path / "d" / "logwarden.db", 501)
    assert one.stop() == 0
    with Store.open(tmp_path / "d" / "logwarden.db", read_only=True) as store:
        assert store.totals().lines == 501
        assert {host.host for host in store.top_hosts()} == {"srv1", "r1"}
    assert "Traceback" not in one.text


def test_versions_before_1_2_are_refused(up: Start, tmp_path: Path, secrets: Path) -> None:
    one = start(up, tmp_path, secrets, with_tls(), "--port=tls=0")
    place = f"{HOST}:{one.port('syslog TLS')}"
    for version, fine in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        command = ["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect", place]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=SECONDS, check=False)
        assert (done.returncode == 0) is fine, done.stderr
    one.wait_for("tls: no TLS: (unsupported protocol|version too low)")
    assert one.stop() == 0


@pytest.mark.parametrize("auth", ["Required", "Optional"])
def test_clients_show_a_certificate(up: Start, tmp_path: Path, secrets: Path, authority: Authority, auth: str) -> None:
    one = start(up, tmp_path, secrets, with_tls(auth), "--port=tls=0")
    port = one.port("syslog TLS")
    send(port, trusting(authority, client="known"), framed(LINE))
    wait_until_stored(tmp_path / "d" / "logwarden.db", 1)
    stranger = trusting(authority)
    stranger.load_cert_chain(*Authority(tmp_path / "other").sign("stranger"))
    send_in_vain(port, stranger)
    one.wait_for("tls: no TLS: certificate verify failed")
    if auth == "Required":
        send_in_vain(port, trusting(authority))
        one.wait_for("tls: no TLS: peer did not return a certificate")
    else:
        send(port, trusting(authority), framed(LINE))
        wait_until_stored(tmp_path / "d" / "logwarden.db", 2)
    assert one.stop() == 0
    with Store.open(tmp_path / "d" / "logwarden.db", read_only=True) as store:
        assert store.totals().lines == (1 if auth == "Required" else 2)


def test_what_is_not_tls_is_named_once_and_harms_nobody(
    up: Start, tmp_path: Path, secrets: Path, authority: Authority
) -> None:
    one = start(up, tmp_path, secrets, with_tls(), "--port=tls=0")
    port = one.port("syslog TLS")
    for _ in range(3):
        with socket.create_connection((HOST, port), timeout=SECONDS) as sock:
            sock.sendall(f"{LINE}\n".encode())
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(100)[:1] in (b"", b"\x15")  # closed, perhaps after a TLS alert
    send(port, trusting(authority), framed(LINE))
    wait_until_stored(tmp_path / "d" / "logwarden.db", 1)
    assert one.stop() == 0
    assert one.text.count("tls: no TLS: ") == 1


def test_https_takes_lines_of_those_who_know_the_token(
    up: Start, tmp_path: Path, secrets: Path, authority: Authority
) -> None:
    one = start(up, tmp_path, secrets, WITH_HTTPS)
    url = one.wait_for(r"HTTPS +(https://\S+)")[1]
    with httpx.Client(verify=trusting(authority), timeout=SECONDS) as client:
        assert client.post(url, content=LINE).status_code == 401
        answer = client.post(url, content=LINE, headers={"Authorization": "Bearer s3cret"})
        assert answer.json() == {"accepted": 1, "rejected": 0}
    with pytest.raises(httpx.HTTPError):
        httpx.post(url.replace("https", "http"), content=LINE, timeout=SECONDS)
    wait_until_stored(tmp_path / "d" / "logwarden.db", 1)
    assert one.stop() == 0
    assert "s3cret" not in one.text


def test_the_shown_commands_send_a_line_each(up: Start, tmp_path: Path, secrets: Path) -> None:
    text = WITH_HTTPS.replace("    http:", LISTENER.format(auth="None") + "    http:")
    one = start(up, tmp_path, secrets, text, "--port=tls=0")
    commands = one.wait_for(r"Send it a line:\n((?:  .+\n)+)")[1].splitlines()
    assert [line.split()[0] for line in commands] == ["logger", "logger", "echo", "curl"]
    sent = 0
    for command in commands:
        program = "openssl" if "openssl" in command else command.split()[0]
        if shutil.which(program):
            shell = command.replace("TOKEN", "s3cret")
            subprocess.run(shell, shell=True, check=True, timeout=SECONDS, capture_output=True)
            sent += 1
    assert sent >= 1
    wait_until_stored(tmp_path / "d" / "logwarden.db", sent)
    assert one.stop() == 0


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("tls.crt", None, "tls.crt cannot be read: No such file or directory"),
        ("tls.key", None, "tls.key cannot be read: No such file or directory"),
        ("ca.crt", None, "ca.crt cannot be read: No such file or directory"),
        ("tls.crt", "", "tls.crt is empty"),
        ("tls.crt", "-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----\n", "tls.crt holds no certificate"),
        ("tls.key", "secret", "tls.key holds no private key in PEM form"),
        ("tls.key", "-----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----\n", "tls.key cannot be used with"),
        ("ca.crt", "\xfc", "ca.crt holds no certificate in PEM form"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, secrets: Path, file: str, content: str | None, words: str
) -> None:
    path = secrets / "logs" / file
    path.unlink() if content is None else path.write_text(content)
    message = fail(tmp_path, *FREE, "--port=tls=0", "--secrets", str(secrets), text=with_tls("Required"))
    assert words in message
    assert "spec.collect.syslog.listeners[2].tlsSecretRef names the Secret logs" in message


def test_a_key_of_another_certificate_is_named(tmp_path: Path, secrets: Path, authority: Authority) -> None:
    shutil.copy(authority.sign("another")[1], secrets / "logs" / "tls.key")
    message = fail(tmp_path, *FREE, "--port=tls=0", "--secrets", str(secrets), text=with_tls())
    assert "tls.key is not the key of tls.crt" in message


def test_a_locked_key_is_named_and_no_password_is_asked_for(tmp_path: Path, secrets: Path) -> None:
    key = secrets / "logs" / "tls.key"
    openssl(secrets, "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(key) + ".locked")
    Path(str(key) + ".locked").replace(key)
    message = fail(tmp_path, *FREE, "--secrets", str(secrets), text=WITH_HTTPS)
    assert "spec.collect.http.tlsSecretRef names the Secret logs" in message
    assert "tls.key is locked with a password" in message


def test_without_a_folder_of_secrets_it_says_where_to_put_them(tmp_path: Path) -> None:
    message = fail(tmp_path, *FREE, "--port=tls=0", text=with_tls())
    assert "DIR/logs/tls.crt" in message
    assert "--secrets DIR" in message
