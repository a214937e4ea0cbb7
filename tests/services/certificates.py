"""Certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

HOST = "127.0.0.1"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder, and what it signs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        openssl(folder, *self._new_key("ca"), "-x509", "-out", "ca.crt", "-days", "2")

    def _new_key(self, name: str) -> list[str]:
        (self.folder / f"{name}.cnf").write_text(
            "[req]\ndistinguished_name = name\nprompt = no\nx509_extensions = authority\n"
            f"[name]\nCN = {name}\n[authority]\nbasicConstraints = critical, CA:true\n"
        )
        return ["req", "-config", f"{name}.cnf", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]

    def sign(self, name: str) -> tuple[Path, Path]:
        """Return the certificate and the key of a new server or client at this machine's loopback address."""
        folder = self.folder
        openssl(folder, *self._new_key(name), "-out", f"{name}.csr")
        (folder / "san.cnf").write_text(f"subjectAltName = IP:{HOST}\n")
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "san.cnf", "-out", f"{name}.crt",
        )  # fmt: skip
        return folder / f"{name}.crt", folder / f"{name}.key"
