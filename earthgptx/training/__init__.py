"""Batches -> checkpoint: our own loop, short enough to read in one sitting."""
