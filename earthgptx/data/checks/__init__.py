"""What can be wrong with labelled data and does not stop a reader: `check.check_root` and `check.check_corpus`.

In goes a folder of sources or a built corpus, out comes a `report.CheckReport`. Nothing is mended here.
"""
