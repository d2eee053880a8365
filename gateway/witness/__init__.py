"""The witness role: another agency's node, which cosigns a log's checkpoints only while its history only grows."""
