"""Erasing one person's data: asked for by one person, approved by another; every proof stays intact.

What goes: sealed fields of every version of the records, the person's cells in quarantine, what challengers said,
kept files that hold the values, and what is remembered of the rows of their sources. What stays: payloads with
digests that nobody can try values against any more, receipts, proofs, and a list of keyed digests by which the same
value is known when it comes again.
"""
