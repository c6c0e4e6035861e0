"""Longer captions, region descriptions and relations from a vision-language model, checked against the labels.

`run.recaption` is the door: samples go in, a model is asked once an image, and what agrees with the labels comes
out as new samples. Nothing here knows tokens or our own model.
"""
