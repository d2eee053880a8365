"""A PKCS#11 token in software (SoftHSM), made for one run of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LABEL, PIN, SO_PIN = "xinqiao", "5678", "1234"


@dataclass(frozen=True)
class Token:
    """An initialised token.

    Attributes:
        module: path of SoftHSM's PKCS#11 library.
        folder: where its files lie; a process finds the token by ``SOFTHSM2_CONF``.
        pin: file with the user's PIN, for ``pin-source``.
    """

    module: Path
    folder: Path
    pin: Path

    @property
    def configuration(self) -> Path:
        """What ``SOFTHSM2_CONF`` points to."""
        return self.folder / "softhsm2.conf"

    def uri(self, label: str, *, with_pin: bool = True) -> str:
        """The PKCS#11 URI of a key."""
        source = f"&pin-source=file:{self.pin}" if with_pin else ""
        return f"pkcs11:token={LABEL};object={label}?module-path={self.module}{source}"


@contextmanager
def softhsm(folder: Path) -> Iterator[Token]:
    """Initialise a token in an empty folder, and let this process and its children find it."""
    module, tool = _installed()
    (folder / "tokens").mkdir(parents=True)
    (folder / "pin").write_text(f"{PIN}\n")
    token = Token(module, folder, folder / "pin")
    token.configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(token.configuration)
    try:
        command = [tool, "--module", module, "--init-token", "--free", "--label", LABEL]
        subprocess.run([*command, "--so-pin", SO_PIN, "--pin", PIN], check=True, capture_output=True, timeout=60)
        yield token
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def _installed() -> tuple[Path, str]:
    """Library and tool; missing ones end the run in words, since a skipped test would look like a passed one."""
    unpacked = ROOT / ".venv" / "softhsm"
    modules = [
        Path(os.environ.get("SOFTHSM2_MODULE", "/none")),
        Path("/usr/lib/softhsm/libsofthsm2.so"),
        Path("/usr/lib64/pkcs11/libsofthsm2.so"),
        unpacked / "usr/lib/softhsm/libsofthsm2.so",
    ]
    module = next((path for path in modules if path.is_file()), None)
    tool = shutil.which("softhsm2-util") or shutil.which(str(unpacked / "usr/bin/softhsm2-util"))
    if module is None or tool is None:
        raise AssertionError("SoftHSM is missing; run `sh scripts/install_softhsm.sh .venv`")
    return module, tool
