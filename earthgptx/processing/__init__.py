"""Sample -> Batch: words become tokens, marks become canvases, images become square views.

Nothing here knows the network; what it hands on is one frozen `Batch` of tensors.
"""
