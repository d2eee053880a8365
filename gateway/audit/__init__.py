"""The transparency log: what was done, by whom, proven by one Merkle tree over every act."""
