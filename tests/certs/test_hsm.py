"""Keys in a PKCS#11 token (SoftHSM): they sign certificates, lists and OCSP answers, and never leave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import Attribute, ObjectClass

from certs import hsm, ocsp, profiles
from certs.authority import Authority, create, open_authority, sign_certificate
from certs.errors import KeyUnusable
from certs.hsm import TokenKey, make_token_key, open_token_key, parse_token_uri
from certs.keys import load_key, open_key
from certs.layout import Files
from certs.revocation import CrlEntry, Standing, Status, build_crl
from tests.certs.support import NOW, answering, openssl, trace_certificate, write_pem
from tests.support.token import LABEL, PIN, Token

STAMP = int(NOW.timestamp()) + 60
WHENEVER = ("-attime", STAMP, "-validity_period", 10**9)
NUMBERS = count(1)


@pytest.fixture
def uri(token: Token) -> str:
    """The URI of a key that is not made yet."""
    return token.uri(f"key-{next(NUMBERS)}")


@pytest.fixture
def in_token(token: Token, uri: str, tmp_path: Path) -> Authority:
    """An issuing authority whose key is in the token, below a root in files."""
    return authority_with(make_token_key(uri, None), uri, tmp_path)


def authority_with(key: TokenKey, uri: str, home: Path) -> Authority:
    create(home, NOW)
    files = Files(home)
    root, root_key = x509.load_pem_x509_certificate(files.root.read_bytes()), load_key(files.root_key)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Token Issuing CA")])
    issuing = sign_certificate(profiles.ISSUING, name, key.public_key(), root, root_key, NOW)
    write_pem(files.issuing, issuing)
    files.issuing_key.unlink()
    files.issuing_key.with_suffix(".uri").write_text(uri + "\n")
    return open_authority(home)


def test_an_issuing_key_in_a_token_signs_what_openssl_accepts(in_token: Authority, tmp_path: Path) -> None:
    files = Files(tmp_path)
    good, bad = trace_certificate(in_token), trace_certificate(in_token)
    leaves = [write_pem(tmp_path / name, one.certificate) for name, one in (("good", good), ("bad", bad))]
    entry = CrlEntry(bad.certificate.serial_number, NOW, "key_compromise")
    crl = build_crl(in_token.certificate, in_token.key, [entry], 1, NOW, NOW + timedelta(days=7))
    files.crl.write_bytes(crl.public_bytes(Encoding.PEM))

    answers = [
        openssl(
            "verify", "-x509_strict", "-crl_check", "-attime", STAMP, "-CAfile", files.root,
            "-untrusted", files.issuing, "-CRLfile", files.crl, leaf,
        )
        for leaf in leaves
    ]  # fmt: skip

    assert isinstance(in_token.key, TokenKey)
    assert [answer.returncode for answer in answers] == [0, 2]
    assert "certificate revoked" in answers[1].stderr


def test_an_ocsp_answer_is_signed_in_the_token(in_token: Authority, tmp_path: Path) -> None:
    files = Files(tmp_path)
    leaf = write_pem(tmp_path / "leaf.pem", trace_certificate(in_token).certificate)
    asked = ("ocsp", "-no_nonce", "-issuer", files.issuing, "-cert", leaf)
    openssl(*asked, "-reqout", tmp_path / "request.der")

    answer = ocsp.respond(
        (tmp_path / "request.der").read_bytes(),
        [answering(in_token)],
        lambda issuer, serial: Standing(Status.GOOD),
        NOW,
    )
    (tmp_path / "answer.der").write_bytes(answer)

    told = openssl(*asked, "-respin", tmp_path / "answer.der", "-CAfile", files.root, *WHENEVER)
    assert ("Response verify OK" in told.stderr, f"{leaf}: good" in told.stdout) == (True, True)


def test_the_private_key_does_not_leave_its_token(token: Token, uri: str) -> None:
    key = make_token_key(uri, None)
    session = hsm._session(parse_token_uri(uri), PIN)
    private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=parse_token_uri(uri).label)

    assert (private[Attribute.EXTRACTABLE], private[Attribute.SENSITIVE]) == (False, True)
    with pytest.raises(pkcs11.PKCS11Error):
        private[Attribute.VALUE]
    with pytest.raises(KeyUnusable, match="does not leave its token"):
        key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(KeyUnusable, match="does not leave its token"):
        key.private_numbers()


def test_many_threads_sign_with_one_key(uri: str) -> None:
    key = make_token_key(uri, None)

    with ThreadPoolExecutor(8) as pool:
        signatures = list(pool.map(lambda n: (n, key.sign(str(n).encode(), ec.ECDSA(hashes.SHA256()))), range(64)))

    for number, signature in signatures:
        key.public_key().verify(signature, str(number).encode(), ec.ECDSA(hashes.SHA256()))


def test_a_digest_computed_elsewhere_is_signed_as_it_is(uri: str) -> None:
    key, digest = make_token_key(uri, None), hashes.Hash(hashes.SHA256())
    digest.update(b"x")

    signature = key.sign(digest.finalize(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))

    key.public_key().verify(signature, b"x", ec.ECDSA(hashes.SHA256()))


def test_a_session_that_was_lost_is_opened_anew(uri: str) -> None:
    key = make_token_key(uri, None)

    hsm._session(parse_token_uri(uri), PIN).close()
    signature = key.sign(b"x", ec.ECDSA(hashes.SHA256()))

    key.public_key().verify(signature, b"x", ec.ECDSA(hashes.SHA256()))


def test_the_pin_comes_from_a_file_or_as_passphrase(token: Token, uri: str, tmp_path: Path) -> None:
    made = make_token_key(uri, None)
    (tmp_path / "issuing.uri").write_text(uri.partition("&pin-source")[0])

    opened = open_key(tmp_path / "issuing.key", PIN.encode())

    assert opened.public_key() == made.public_key()
    with pytest.raises(KeyUnusable, match="no PIN"):
        open_key(tmp_path / "issuing.key")


def test_a_wrong_pin_opens_nothing_and_the_right_one_still_does(token: Token, uri: str) -> None:
    make_token_key(uri, None)

    with pytest.raises(KeyUnusable, match="PinIncorrect"):
        open_token_key(token.uri(parse_token_uri(uri).label, with_pin=False), b"0000")

    assert open_token_key(uri, None).key_size == 256


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("token=xinqiao", "token=elsewhere"), "NoSuchToken"),
        (("object=", "object=no-"), "NoSuchKey"),
        (("libsofthsm2.so", "no.so"), "no.so"),
    ],
)
def test_what_is_not_there_is_said(uri: str, change: tuple[str, str], problem: str) -> None:
    make_token_key(uri, None)

    with pytest.raises(KeyUnusable, match=problem):
        open_token_key(uri.replace(*change), None)


def test_a_key_is_never_made_over_another(uri: str) -> None:
    make_token_key(uri, None)

    with pytest.raises(KeyUnusable, match="there is a key of this label already"):
        make_token_key(uri, None)


def test_a_key_that_does_not_fit_the_certificate_is_not_used(in_token: Authority, token: Token, tmp_path: Path) -> None:
    other = token.uri(f"key-{next(NUMBERS)}")
    make_token_key(other, None)
    Files(tmp_path).issuing_key.with_suffix(".uri").write_text(other)

    with pytest.raises(KeyUnusable, match="does not fit"):
        open_authority(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected pkcs11"),
        ("file:/x", "expected pkcs11"),
        ("pkcs11:token=a", "missing"),
        ("pkcs11:object=b?module-path=/m", r"missing \['token'\]"),
        ("pkcs11:token=a;object=b", r"missing \['module-path'\]"),
        ("pkcs11:token=a;object=b?module-path=/m&pin-value=1234", "a PIN may not stand in it"),
    ],
)
def test_a_uri_that_does_not_name_a_key_is_refused(text: str, problem: str) -> None:
    with pytest.raises(KeyUnusable, match=problem) as refused:
        parse_token_uri(text)
    assert "1234" not in str(refused.value)


def test_a_uri_is_read_with_its_escapes() -> None:
    read = parse_token_uri("pkcs11:token=a%20b;object=c%3Bd;id=%00%ff?module-path=/m%26n&pin-source=file:/run/pin")

    assert (read.token, read.label, read.id, read.module) == ("a b", "c;d", b"\x00\xff", "/m&n")
    assert (read.pin_source, LABEL) == (Path("/run/pin"), "xinqiao")
