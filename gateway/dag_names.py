"""What the exchanges are called in Airflow. Here, so that the gateway can name a DAG without importing one."""

from __future__ import annotations


def dag_id(source: str) -> str:
    """Airflow's name for the DAG of a source: slashes are not allowed in it."""
    return source.replace("/", "__")


def source_of(identifier: str) -> str:
    """The source whose DAG is called so."""
    return identifier.replace("__", "/")


def pool_name(agency: str) -> str:
    """The pool that limits how many tasks ask one agency at a time."""
    return f"agency_{agency}"
