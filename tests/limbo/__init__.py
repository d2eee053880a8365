"""x509-limbo, the public suite of path validation, over our verifier. Its cases are fetched, never kept here."""
