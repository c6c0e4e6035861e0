"""Weights as others publish them (Llama-2, DINOv2, CLIP-ConvNeXt, SAM) become one folder of ours."""
