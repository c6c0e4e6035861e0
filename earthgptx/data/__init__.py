"""From files to samples: imagery of any sensor, public datasets, drawn marks, instructions.

Everything here turns what lies on disk into the frozen dataclasses of `imagery` and `sample`. It knows no
tokenizer, no tensor and no model.
"""
