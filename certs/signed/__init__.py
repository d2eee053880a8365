"""Signatures in the formats of the field: detached JWS, CMS, HTTP message signatures, WS-Security.

Each format module reads what was presented, asks whose key it is (``FindKey``), verifies, and says in a
``Verified`` what was proven. Which keys are believed and which signature is demanded is the caller's policy.
"""
