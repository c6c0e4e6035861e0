"""Scores over strings, numbers and boolean arrays: labels, similarity, captions, masks, grounded captions, counts.

Nothing here knows a model or a sensor; whoever calls decides which answers are compared with which truths. Every
function averages over everything it is given, so a part (one sensor, one data set) is scored by passing that part
alone. All are pure but two: METEOR starts a Java program, and SPICE loads a parser. docs/metrics.md has them all.
"""
