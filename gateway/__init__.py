"""The service: pipeline, store, audit, access, feed, HTTP and SOAP faces, command line."""

import os

__version__ = "0.3.3"

# Read by the allocator of Polars when it is loaded, so it must be said before anything imports it. What a chunk has let
# go of is kept for the next one, which comes after a second or two; Polars itself gives it back after half a second,
# and having it anew, emptied by the kernel, is a tenth of what staging costs. Whoever names another value has it.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000,muzzy_decay_ms:10000")
