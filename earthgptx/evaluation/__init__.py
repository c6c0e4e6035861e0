"""Answers -> Report: benchmarks ask a model about labelled imagery and score what it says.

``metrics`` holds the scores, ``benchmarks`` what is asked of which data set, ``predictions`` the file that
every answer goes to as it is given, ``report`` what is left in the end, and ``command`` the `earthgptx
evaluate` verb.
"""
