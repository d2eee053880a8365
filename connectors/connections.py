"""Where the endpoints are and what proves who we are: ``connections.yml`` in ``XINQIAO_HOME``.

Secrets are files; they are read when needed and never appear in a ``source.yml``, an error or a ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from marshmallow import Schema, ValidationError, fields

from connectors.errors import Refused
from connectors.yaml_file import read_yaml


@dataclass(frozen=True)
class Connection:
    """One endpoint.

    Attributes:
        name: as used in ``source.yml``.
        url: ``https://...``, a folder, or a SQLAlchemy URL, as the transport needs it.
        home: ``XINQIAO_HOME``; relative folders are below it.
        ca: certificate file of the authority that the endpoint's certificate must come from, or None for the system's.
        certificate: our client certificate, or None.
        key: its key.
        secrets: name -> value.
        options: anything else that a transport or an adapter wants to know.
    """

    name: str
    url: str
    home: Path
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """The value of a secret.

        Raises:
            Refused: ``connections.yml`` names no such secret for this endpoint.
        """
        try:
            return self.secrets[name]
        except KeyError:
            raise Refused(
                f"端点“{self.name}”没有名为“{name}”的密钥；请在 connections.yml 的 secrets 中登记。",
                f"endpoint {self.name!r} has no secret named {name!r}; add it to secrets in connections.yml.",
                endpoint=self.name,
                secret=name,
            ) from None


class _Endpoint(Schema):
    url = fields.String(required=True)
    ca = fields.String(load_default=None)
    certificate = fields.String(load_default=None)
    key = fields.String(load_default=None)
    secrets = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    options = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class _File(Schema):
    endpoints = fields.Dict(keys=fields.String(), values=fields.Nested(_Endpoint), required=True)


@dataclass(frozen=True)
class Connections:
    """All endpoints of an installation, by name."""

    endpoints: Mapping[str, Connection] = field(default_factory=dict)

    @classmethod
    def load(cls, home: Path) -> Connections:
        """Read ``home/connections.yml``; without the file there are no endpoints and only uploads work.

        Raises:
            Refused: the file has another shape, or names a file that is missing or outside ``home``.
        """
        file = home / "connections.yml"
        if not file.exists():
            return cls()
        try:
            content = _File().load(read_yaml(file))
        except ValidationError as error:
            raise Refused(
                f"{file}：格式不符：{error.messages}。请对照 docs/sources.md 更正。",
                f"{file}: not in the format: {error.messages}. Correct it; see docs/sources.md.",
                file=str(file),
            ) from error
        return cls({name: _connection(home, name, entry) for name, entry in content["endpoints"].items()})

    def of(self, name: str | None) -> Connection:
        """The endpoint of that name.

        Raises:
            Refused: there is none; names the ones there are.
        """
        if name is not None and name in self.endpoints:
            return self.endpoints[name]
        known = sorted(self.endpoints)
        raise Refused(
            f"connections.yml 中没有端点“{name}”。现有：{'、'.join(known) or '无'}。",
            f"connections.yml has no endpoint {name!r}; there are: {', '.join(known) or 'none'}.",
            endpoint=name,
            known=known,
        )


def _connection(home: Path, name: str, entry: Mapping[str, object]) -> Connection:
    def inside(relative: object, below: Path) -> Path | None:
        return None if relative is None else _inside(below, str(relative), name)

    secret_files = entry["secrets"] if isinstance(entry["secrets"], dict) else {}
    options = entry["options"] if isinstance(entry["options"], dict) else {}
    secrets = {
        secret: _inside(home / "secrets", file, name).read_text("utf-8").strip()
        for secret, file in secret_files.items()
    }
    return Connection(
        name=name,
        url=str(entry["url"]),
        home=home,
        ca=inside(entry["ca"], home),
        certificate=inside(entry["certificate"], home),
        key=inside(entry["key"], home),
        secrets=secrets,
        options=options,
    )


def _inside(root: Path, relative: str, endpoint: str) -> Path:
    """A file below ``root``; paths in a configuration file must not reach out of ``XINQIAO_HOME``."""
    path = (root / relative).resolve()
    if path.is_relative_to(root.resolve()) and path.is_file():
        return path
    raise Refused(
        f"端点“{endpoint}”：文件“{relative}”不存在，或不在 {root} 之内。请把文件放到该目录下。",
        f"endpoint {endpoint!r}: file {relative!r} is missing or not inside {root}. Put the file there.",
        endpoint=endpoint,
        file=relative,
    )
