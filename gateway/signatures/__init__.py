"""Signatures on what is delivered and on what we hand out: whose key, what is demanded, what is kept of it."""
