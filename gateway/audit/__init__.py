"""The transparency log: what was done, by whom, proven by one Merkle tree over every act."""

from gateway.audit.actions import Action
from gateway.audit.tables import append

__all__ = ["Action", "append"]
