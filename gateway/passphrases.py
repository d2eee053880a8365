"""Passphrases of private keys: from a credential file, else from the environment; without either keys lie in clear.

Two of them, so that they can be kept by different people. ``key`` opens what a running gateway needs (its
server's key, the log's, the seal key). ``ca`` opens the issuing key, or is the PIN of the token that holds it; where it
is not given, ``key`` serves for both.
"""

from __future__ import annotations

import os
from pathlib import Path

from certs.errors import KeyUnusable
from gateway.settings import Settings

KEY_VARIABLE = "XINQIAO_KEY_PASSPHRASE"
CA_VARIABLE = "XINQIAO_CA_PASSPHRASE"


def key_passphrase(settings: Settings) -> bytes | None:
    """What opens the keys of the running gateway; None if they lie in clear.

    Raises:
        KeyUnusable: the credential file is missing, empty or readable by others.
    """
    return _read(settings.key_passphrase_file, KEY_VARIABLE)


def key_passphrase_at(home: Path) -> bytes | None:
    """The same for who knows an installation by its folder alone: settings of the environment and of its file.

    Raises:
        KeyUnusable: as ``key_passphrase``.
    """
    return key_passphrase(Settings.load({**os.environ, "XINQIAO_HOME": str(home)}))


def ca_passphrase(settings: Settings) -> bytes | None:
    """What opens the issuing key; that of the other keys if it has none of its own.

    Raises:
        KeyUnusable: as ``key_passphrase``.
    """
    return _read(settings.ca_passphrase_file, CA_VARIABLE) or key_passphrase(settings)


def _read(file: str, variable: str) -> bytes | None:
    if file:
        return read_passphrase_file(Path(file))
    return os.environ.get(variable, "").encode() or None


def read_passphrase_file(path: Path) -> bytes:
    """The first line of a credential file, as systemd's ``LoadCredential=`` provides one.

    Raises:
        KeyUnusable: missing, empty, or readable by users other than its owner.
    """
    try:
        mode, content = path.stat().st_mode & 0o777, path.read_bytes()
    except OSError as error:
        raise KeyUnusable(
            f"口令文件 {path} 无法读取：{error}；请检查路径。",
            f"passphrase file {path} cannot be read: {error}; check the path",
            path=str(path),
        ) from error
    passphrase = content.splitlines()[0] if content else b""
    if mode & 0o007 or not passphrase:
        problem_zh, problem_en = ("为空", "is empty") if not passphrase else ("他人可读", "is readable by others")
        raise KeyUnusable(
            f"口令文件 {path} {problem_zh}；应只有一行口令，权限 0400。",
            f"passphrase file {path} {problem_en}; expected one line, mode 0400",
            path=str(path),
        )
    return passphrase
