"""From a sensor's own numbers to 8-bit pixels that can be looked at, for optical, SAR and infrared bands.

In comes one band with the mask of its valid pixels, out go grey levels 0..255 and the limits that were used.
Invalid pixels never take part in the percentiles and come out black.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earthgptx.data.sensors import looks_like_decibels

# Percentiles that become black and white. Optical: the usual 2 to 98. SAR: log values; ships are a handful of
# very bright pixels and must not be clipped into a blob. Infrared: hot objects fill one pixel in a thousand.
PERCENTILES: dict[str, tuple[float, float]] = {
    "optical": (2.0, 98.0),
    "sar": (5.0, 99.9),
    "infrared": (0.5, 99.9),
}

_SAMPLE_SIZE = 2_000_000  # values a percentile is taken from; a stride thins out larger bands


@dataclass(frozen=True, eq=False)
class StretchedBand:
    """Grey levels (H, W) uint8, and the limits in `unit` that became 0 and 255."""

    grey: NDArray[np.uint8]
    low: float
    high: float
    unit: str

    @property
    def limits(self) -> str:
        """The limits in words."""
        same = f"{self.low:.4g} everywhere, shown as middle grey"
        return f"{self.low:.4g} to {self.high:.4g}" if self.high > self.low else same


def stretch(band: NDArray[np.generic], *, sensor: str, valid: NDArray[np.bool_]) -> StretchedBand:
    """Stretch one band between the sensor's percentiles of its valid pixels.

    Args:
        band: (H, W) integers, floats or complex numbers. Complex numbers are replaced by their amplitude.
        sensor: "optical", "sar" or "infrared".
        valid: (H, W), at least one True; where it is True the values are finite.

    Returns:
        The band as 0..255. A constant band becomes middle grey (128).
    """
    values, unit = _measured(band, sensor=sensor, valid=valid)
    low, high = percentile_limits(values, valid=valid, percentiles=PERCENTILES[sensor])
    if high > low:
        grey = np.clip((values - low) * (255.0 / (high - low)), 0.0, 255.0)
    else:
        grey = np.full(values.shape, 128.0, dtype=np.float32)
    grey[~valid] = 0.0
    return StretchedBand(grey=np.rint(grey).astype(np.uint8), low=low, high=high, unit=unit)


def percentile_limits(
    values: NDArray[np.float32], *, valid: NDArray[np.bool_], percentiles: tuple[float, float]
) -> tuple[float, float]:
    """The two percentiles of the valid values, falling back to their least and greatest where both are equal.

    The fallback keeps a few bright targets visible where both percentiles fall on a constant background.
    """
    kept = values[valid]
    sample = kept[:: max(1, kept.size // _SAMPLE_SIZE)]
    low, high = (float(limit) for limit in np.percentile(sample, percentiles))
    return (low, high) if high > low else (float(kept.min()), float(kept.max()))


def _measured(band: NDArray[np.generic], *, sensor: str, valid: NDArray[np.bool_]) -> tuple[NDArray[np.float32], str]:
    """The quantity that is stretched, as float32, and its name."""
    # Invalid values are set to 0 first: NaN and infinity would else leak through the arithmetic as warnings.
    clean = np.where(valid, band, np.zeros((), dtype=band.dtype))
    is_decibels = sensor == "sar" and looks_like_decibels(band, valid)
    amplitude = np.abs(clean).astype(np.float32) if np.iscomplexobj(clean) else clean.astype(np.float32)
    if sensor != "sar":
        return amplitude, "counts"
    if is_decibels:
        return amplitude, "dB"
    return _decibels(np.abs(amplitude), valid=valid), "dB of the amplitude"


def _decibels(amplitude: NDArray[np.float32], *, valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """20 log10 of the amplitude; zeros take the least positive one, since log 0 has no place on the scale."""
    positive = amplitude[valid & (amplitude > 0)]
    floor = float(positive.min()) if positive.size else 1.0
    return (20.0 * np.log10(np.maximum(amplitude, floor))).astype(np.float32)
