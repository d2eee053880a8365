"""Private keys at rest: encrypted when there is a passphrase, protected afterwards, and what then needs it."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from certs.errors import KeyUnusable
from certs.keys import protect_key
from gateway.audit.keys import load_signer
from gateway.audit.tables import entries
from gateway.authorities import open_issuing
from gateway.certificates_publish import current_crl, pki_files
from gateway.cli.keys import keys
from gateway.home import initialise, open_home
from gateway.key_files import key_files
from gateway.notifications.notifier import enrol, load_notifier
from gateway.passphrases import ca_passphrase, key_passphrase
from gateway.sealing import load_sealer
from gateway.server.tls import build_context
from gateway.settings import Settings
from gateway.signatures.own import own_key
from tests.conftest import NOW

SECRET = "correct horse"


@pytest.fixture
def clear(sqlite_home: Path, tmp_path: Path) -> Settings:
    """An installation that was made without a passphrase."""
    shutil.copytree(sqlite_home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def kept(settings: Settings) -> dict[str, str]:
    return {file.path.name: file.kept for file in key_files(settings)}


def use_them_all(settings: Settings) -> None:
    """Everything that a running gateway does with a private key."""
    load_signer(settings)
    sealer = load_sealer(settings.home)
    assert sealer.open(sealer.seal(b"x", b"c"), b"c") == b"x"
    build_context(pki_files(settings), lambda: key_passphrase(settings))
    open_issuing(settings)
    own_key(settings)


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation that had a passphrase from the beginning."""
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", SECRET)
    settings = Settings(home=tmp_path / "encrypted")
    initialise(settings, NOW)
    return settings


def test_with_a_passphrase_no_key_lies_in_clear(encrypted: Settings) -> None:
    use_them_all(encrypted)

    assert kept(encrypted) == dict.fromkeys(
        ["kek-0001.key", "log.key", "signing-international.key", "gateway.key", "issuing.key", "root.key"], "encrypted"
    )


@pytest.mark.parametrize("given", ["", "wrong"])
def test_without_the_passphrase_nothing_opens(encrypted: Settings, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", given)

    for opening in (load_signer, open_issuing, lambda s: load_sealer(s.home).seal(b"x", b"c")):
        with pytest.raises(KeyUnusable, match="check the passphrase"):
            opening(encrypted)
    with pytest.raises((ValueError, OSError)):
        build_context(pki_files(encrypted), lambda: key_passphrase(encrypted))


def test_the_issuing_key_may_have_a_passphrase_of_its_own_that_the_gateway_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home")
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", SECRET)
    monkeypatch.setenv("XINQIAO_CA_PASSPHRASE", "held by somebody else")
    initialise(settings, NOW)

    monkeypatch.delenv("XINQIAO_CA_PASSPHRASE")

    load_signer(settings)
    with pytest.raises(KeyUnusable):
        open_issuing(settings)
    with open_home(settings) as store:
        # The list stays in use and says itself until when it counts.
        assert current_crl(store, NOW + timedelta(days=5)) == current_crl(store, NOW)


def test_keys_in_clear_are_protected_changed_and_put_back(clear: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    old = clear.home / "old"
    old.write_text(f"{SECRET}\n")
    old.chmod(0o400)
    sealer = load_sealer(clear.home)
    sealed = sealer.seal(b"personal", b"c")
    seen = [set(kept(clear).values())]

    for passphrase, was in ((SECRET, ()), ("another", ("--was-file", str(old)))):
        monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", passphrase)
        done = CliRunner().invoke(keys, ["protect", *was, "--json"], obj=clear, catch_exceptions=False)
        assert {json.loads(line)["kept"] for line in done.output.splitlines()} == {"encrypted"}
        use_them_all(clear)
        seen.append(set(kept(clear).values()))

    assert seen == [{"clear"}, {"encrypted"}, {"encrypted"}]
    assert load_sealer(clear.home).open(sealed, b"c") == b"personal"
    with open_home(clear) as store, store.read() as conn:
        acts = conn.scalars(select(entries.c.action).where(entries.c.action == "keys.protected")).all()
    assert len(acts) == 2


def test_a_protection_that_was_cut_off_is_run_again(clear: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", SECRET)
    protect_key(pki_files(clear).gateway_key, None, SECRET.encode())

    done = CliRunner().invoke(keys, ["protect", "--json"], obj=clear, catch_exceptions=False)

    assert (done.exit_code, set(kept(clear).values())) == (0, {"encrypted"})


def test_the_passphrase_comes_from_a_credential_file_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credential").write_text("from the file\nsecond line\n")
    (tmp_path / "credential").chmod(0o400)
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", "from the environment")

    settings = Settings(home=tmp_path, key_passphrase_file=str(tmp_path / "credential"))

    assert (key_passphrase(settings), ca_passphrase(settings)) == (b"from the file", b"from the file")
    assert key_passphrase(Settings(home=tmp_path)) == b"from the environment"


@pytest.mark.parametrize(
    ("content", "mode", "problem"), [(None, 0, "cannot be read"), ("", 0o400, "is empty"), ("x", 0o444, "by others")]
)
def test_a_credential_file_that_cannot_be_trusted_is_refused(
    tmp_path: Path, content: str | None, mode: int, problem: str
) -> None:
    file = tmp_path / "credential"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)

    with pytest.raises(KeyUnusable, match=problem):
        key_passphrase(Settings(home=tmp_path, key_passphrase_file=str(file)))


def test_a_signing_key_of_guomi_is_protected_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path / "home", suite="guomi")
    initialise(settings, NOW)
    before = own_key(settings).key.public.spki()

    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", SECRET)
    CliRunner().invoke(keys, ["protect"], obj=settings, catch_exceptions=False)

    assert kept(settings)["signing-guomi.key"] == "encrypted"
    assert own_key(settings).key.public.spki() == before


def test_the_key_that_notifications_are_pushed_with_is_protected_like_the_others(
    clear: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_home(clear) as store:
        enrol(store, open_issuing(clear), "test", NOW)
    before = kept(clear)["notifier.key"]
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", SECRET)

    done = CliRunner().invoke(keys, ["protect", "--json"], obj=clear, catch_exceptions=False)

    assert (done.exit_code, before, kept(clear)["notifier.key"]) == (0, "clear", "encrypted")
    assert load_notifier(clear).key is not None
