"""Who may speak: keys, certificate profiles, issuing, revocation and verification.

Nothing here imports another package of Xinqiao.
"""
