"""One authority for all tests of certificates; none of them changes it."""

from __future__ import annotations

import pytest

from certs.authority import Authority, create, open_authority
from certs.layout import Files
from certs.trust import Trust, read_trust
from tests.certs.support import NOW


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("pki"))
    create(files.home, NOW)
    return files


@pytest.fixture(scope="session")
def authority(pki: Files) -> Authority:
    return open_authority(pki.home)


@pytest.fixture
def trust(pki: Files) -> Trust:
    return read_trust(pki.trust)
