"""The trust file: what is read from it, and when it is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from certs.authority import Authority, create
from certs.errors import AuthorityMissing
from certs.keys import write_whole
from certs.layout import Files
from certs.trust import Trust, TrustFile, read_trust
from tests.certs.support import NOW


def test_a_root_signed_itself_and_all_others_are_intermediates(authority: Authority, pki: Files) -> None:
    assert read_trust(pki.trust) == Trust((authority.root,), (authority.certificate,))


def test_an_unchanged_file_is_read_once(pki: Files) -> None:
    file = TrustFile(pki.trust)

    assert file.current() is file.current()


def test_a_changed_file_is_believed_at_once(authority: Authority, pki: Files, tmp_path: Path) -> None:
    partner = create(tmp_path / "partner", NOW)
    path = tmp_path / "trust.pem"
    write_whole(path, pki.trust.read_bytes())
    file = TrustFile(path)
    before = file.current()

    write_whole(path, pki.trust.read_bytes() + Files(tmp_path / "partner").trust.read_bytes())
    wider = file.current()
    write_whole(path, Files(tmp_path / "partner").trust.read_bytes())
    other = file.current()

    assert [trust.roots for trust in (before, wider, other)] == [
        (authority.root,),
        (authority.root, partner.root),
        (partner.root,),
    ]


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_that_cannot_be_read_is_an_error_and_not_yesterday_s_trust(
    pki: Files, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "trust.pem"
    write_whole(path, pki.trust.read_bytes())
    file = TrustFile(path)
    file.current()

    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(AuthorityMissing, match="is unusable"):
        file.current()


def test_intermediates_alone_are_no_trust(pki: Files) -> None:
    with pytest.raises(AuthorityMissing, match="no self-signed certificate"):
        read_trust(pki.issuing)
