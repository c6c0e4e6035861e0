"""EarthGPT-X: answers in words and masks about marked regions of optical, SAR and infrared imagery."""
