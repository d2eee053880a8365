"""The written contracts of the SOAP agencies. No code: a package so that the files are installed with it."""
