"""Readers of annotation formats, one file each; a format is read the same way whichever dataset is written in it.

They know no dataset: its name, sensor, split and the naming of its classes are handed in, and labelled images and
broken items come out. Files of `datasets` stand on these, never the other way round.
"""
