"""What may be said: identifiers, fields, record types, code tables and the columnar compiler.

Nothing here imports another package of Xinqiao, opens a connection or reads a clock.
"""
