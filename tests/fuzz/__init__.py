"""Fuzzing what strangers send: ``make fuzz`` runs each target under a coverage-guided fuzzer."""
