"""The sandbox agencies: five invented agencies on loopback, speaking the protocols real ones speak."""
