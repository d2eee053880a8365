"""How agencies speak: transports, decoders, mapping, one folder per agency source, the sandbox agencies.

Imports ``schemas`` and nothing else of ours.
"""
