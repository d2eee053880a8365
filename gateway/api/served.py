"""The application as a server process runs it: with a thread that seals what was read and done within a second."""

from __future__ import annotations

import atexit

from flask import Flask

from gateway.api.app import create_app
from gateway.audit.log import Sealer
from gateway.home import open_home
from gateway.settings import Settings


def create_served_app(settings: Settings) -> Flask:
    """Make the application and start sealing; what is left is sealed when the process ends.

    Landings seal at once, because their receipts carry the proof; reads and grants are sealed here.
    Every worker process has such a thread; they take turns at the log's lock.
    """
    sealer = Sealer(open_home(settings))
    sealer.start()
    atexit.register(sealer.stop)
    return create_app(settings)
