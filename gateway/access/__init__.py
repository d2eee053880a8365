"""Who may read what: callers, grants, applications, projection and masking; and the reads themselves.

Both faces (HTTP and SOAP) call the functions here; nothing here knows of either.
"""
