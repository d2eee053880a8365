"""The service: pipeline, store, audit, access, feed, HTTP and SOAP faces, command line."""

__version__ = "0.3.2"
