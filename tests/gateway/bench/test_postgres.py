"""The throw-away PostgreSQL of benches and tests."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from gateway.bench.postgres import recommended, running_postgres


def test_the_benches_server_runs_with_what_is_recommended_and_loses_nothing() -> None:
    wanted = recommended()

    with running_postgres(wanted) as url:
        engine = create_engine(url)
        with engine.connect() as conn:
            said = {name: conn.execute(text(f"SHOW {name}")).scalar_one() for name in wanted}
            safe = [conn.execute(text(f"SHOW {name}")).scalar_one() for name in ("fsync", "synchronous_commit")]
        engine.dispose()

    assert said == wanted | {"shared_buffers": said["shared_buffers"]}
    assert said["shared_buffers"] != "128MB"
    assert safe == ["on", "on"]
