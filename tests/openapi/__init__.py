"""The served OpenAPI document against the served gateway: a public tool reads the one and tries the other."""
