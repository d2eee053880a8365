"""``python -m gateway.server --app module:function``: the process behind ``gateway.server.start``."""

from __future__ import annotations

import argparse
from functools import partial

from gateway.server.run import GATEWAY_APP, factory_at, report_ready, serve
from gateway.settings import Settings


def main() -> None:
    """Serve the application that ``--app`` names, with the settings of the environment."""
    parser = argparse.ArgumentParser(prog="python -m gateway.server", description=__doc__)
    parser.add_argument("--app", default=GATEWAY_APP, help="module:function(Settings) -> WSGI")
    parser.add_argument("--ready-fd", type=int, help="pipe on which the address is reported")
    options = parser.parse_args()
    ready = partial(report_ready, options.ready_fd) if options.ready_fd is not None else print
    serve(Settings.load(), factory_at(options.app), ready)


if __name__ == "__main__":
    main()
