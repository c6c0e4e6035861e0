"""Scores as pure functions over strings, numbers and boolean arrays: labels, similarity, masks, captions.

Nothing here knows a model, a file or a sensor; whoever calls decides which answers are compared with which
truths. Every function averages over everything it is given, so a part (one sensor, one data set) is scored by
passing that part alone.
"""
