"""Pretrained parts: found, verified and converted to our names, so that all else sees safetensors."""
