"""The corpus M-RSVP: built from every source that lies in a folder, written as Parquet, read from anywhere.

`build` makes it; `manifest` says what is in it; `reader` opens it.
"""
