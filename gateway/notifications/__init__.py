"""Telling systems what became of what they had read or challenged: an outbox, a mailbox, and pushing.

A notification is written in the transaction of the act it tells of. It waits in the system's mailbox
(``GET /v1/notifications``) until it is acknowledged, and is pushed to the system's endpoint if it has one.
"""
