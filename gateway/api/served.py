"""The application as a server process runs it: sealing within a second, then asking the witnesses."""

from __future__ import annotations

import atexit

from flask import Flask

from gateway.access.minutely import Minutely
from gateway.api.app import create_app
from gateway.api.peer import peer_chain_of
from gateway.audit.log import Sealer
from gateway.audit.witnessing import Witnessing
from gateway.home import open_home
from gateway.settings import Settings


def create_served_app(settings: Settings) -> Flask:
    """Make the application and start sealing; what is left is sealed when the process ends.

    Landings seal at once, because their receipts carry the proof; reads and grants are sealed here.
    Every worker process has such a thread; they take turns at the log's lock. Others ask the witnesses
    and look after clocks.
    """
    store = open_home(settings)
    for beside in (Sealer(store), Witnessing(store), Minutely(store)):
        beside.start()
        atexit.register(beside.stop)
    return create_app(settings, peer_chain=peer_chain_of(settings))
