"""From a sensor's own numbers to 8-bit pixels that can be looked at, for optical, SAR and infrared bands.

In comes one band with the mask of its valid pixels, out go grey levels 0..255 and the limits that were used. A
`Stretch` is worked out once and then does the same to every window of a scene. Invalid pixels never take part in the
percentiles and come out black.
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


@dataclass(frozen=True)
class Stretch:
    """How the values of one band become grey levels.

    Attributes:
        low, high: the limits in `unit` that become 0 and 255; where they are equal, all becomes middle grey (128).
        unit: "counts", "dB", or "dB of the amplitude", which is worked out here.
        floor: for the last of these, the amplitude that zeros are given; log 0 has no place on the scale.
    """

    low: float
    high: float
    unit: str
    floor: float = 1.0

    @property
    def limits(self) -> str:
        """The limits in words."""
        same = f"{self.low:.4g} everywhere, shown as middle grey"
        return f"{self.low:.4g} to {self.high:.4g}" if self.high > self.low else same

    def apply(self, band: NDArray[np.generic], *, valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Grey levels (H, W) of a band, 0 where it is not valid.

        Args:
            band: (H, W) integers, floats or complex numbers. Complex numbers are replaced by their amplitude.
            valid: (H, W); where it is True the values are finite.
        """
        values = self._measured(_amplitude(band, valid=valid))
        if self.high > self.low:
            grey = np.clip((values - self.low) * (255.0 / (self.high - self.low)), 0.0, 255.0)
        else:
            grey = np.full(values.shape, 128.0, dtype=np.float32)
        grey[~valid] = 0.0
        return np.rint(grey).astype(np.uint8)

    def _measured(self, amplitude: NDArray[np.float32]) -> NDArray[np.float32]:
        """The quantity that is stretched, in `unit`."""
        return _decibels(np.abs(amplitude), self.floor) if self.unit == "dB of the amplitude" else amplitude


def fit_stretch(band: NDArray[np.generic], *, sensor: str, valid: NDArray[np.bool_]) -> Stretch:
    """The stretch between the sensor's percentiles of a band's valid pixels.

    Args:
        band: (H, W) integers, floats or complex numbers.
        sensor: "optical", "sar" or "infrared".
        valid: (H, W), at least one True; where it is True the values are finite.
    """
    amplitude = _amplitude(band, valid=valid)
    unit, floor, values = "counts", 1.0, amplitude
    if sensor == "sar":
        unit = "dB" if looks_like_decibels(band, valid) else "dB of the amplitude"
    if unit == "dB of the amplitude":
        positive = np.abs(amplitude)[valid & (amplitude != 0)]
        floor = float(positive.min()) if positive.size else 1.0
        values = _decibels(np.abs(amplitude), floor)
    low, high = percentile_limits(values, valid=valid, percentiles=PERCENTILES[sensor])
    return Stretch(low=low, high=high, unit=unit, floor=floor)


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


def _amplitude(band: NDArray[np.generic], *, valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The band as float32, complex numbers as their amplitude, 0 where it is not valid."""
    # Invalid values are set to 0 first: NaN and infinity would else leak through the arithmetic as warnings.
    clean = np.where(valid, band, np.zeros((), dtype=band.dtype))
    return np.abs(clean).astype(np.float32) if np.iscomplexobj(clean) else clean.astype(np.float32)


def _decibels(amplitude: NDArray[np.float32], floor: float) -> NDArray[np.float32]:
    """20 log10 of the amplitude, which is raised to `floor` first."""
    return (20.0 * np.log10(np.maximum(amplitude, floor))).astype(np.float32)
