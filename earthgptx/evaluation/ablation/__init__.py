"""Ablations: the same short training many times, one choice changed a time, the same questions after each.

A study file goes in (`recipes/ablations.py`), a table comes out; `earthgptx ablate` is the command.
"""
