"""Which sensor took a picture: the three names, and the guess that `sensor="auto"` makes.

In come a file's name, its band names and a sample of its pixels; out goes a sensor and one sentence that says
what the guess rests on. The guess knows nothing of the model and is meant to be read, doubted and overruled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earthgptx.errors import UnknownSensor

SENSORS: tuple[str, ...] = ("optical", "sar", "infrared")

# Words in file names, band names and tags that name a sensor outright.
_SAR_WORDS = frozenset(
    "sar hh hv vh vv grd slc amplitude backscatter sigma0 gamma0 beta0 sentinel1 s1a s1b s1c capella iceye umbra "
    "terrasar radarsat alos palsar gaofen3 gf3".split()
)
_INFRARED_WORDS = frozenset("infrared thermal ir tir lwir mwir flir lst temperature".split())
_RED_WORDS = frozenset("red green blue rgb rgba nir pan panchromatic".split())


@dataclass(frozen=True)
class SensorGuess:
    """A sensor and the sentence that says why."""

    sensor: str
    reason: str


def check_sensor(sensor: str) -> str:
    """Return `sensor` if it is "auto" or one of SENSORS.

    Raises:
        UnknownSensor: anything else.
    """
    if sensor != "auto" and sensor not in SENSORS:
        raise UnknownSensor(f'The sensor "{sensor}" is not known; choose auto, {", ".join(SENSORS)}.')
    return sensor


def guess_from_words(*texts: str) -> SensorGuess | None:
    """Guess from what a file, its bands or its tags are called; None where no word names a sensor."""
    words = [word for text in texts for word in re.split(r"[^a-z0-9]+", text.lower())]
    for sensor, vocabulary in (("sar", _SAR_WORDS), ("infrared", _INFRARED_WORDS), ("optical", _RED_WORDS)):
        for word in words:
            if word in vocabulary:
                return SensorGuess(sensor, f'The sensor was guessed to be {sensor} from the word "{word}".')
    return None


def guess_from_pixels(bands: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> SensorGuess:
    """Guess from pixel values.

    Args:
        bands: (C, H, W), any real or complex type; the file's own values.
        valid: (H, W) where the values mean something; None for everywhere.
    """
    if np.iscomplexobj(bands):
        return SensorGuess("sar", "The sensor was guessed to be sar because the pixels are complex.")
    if looks_like_decibels(bands[0], valid):
        return SensorGuess("sar", "The sensor was guessed to be sar because the values look like decibels.")
    if bands.shape[0] >= 3 and not _is_grey(bands):
        return SensorGuess("optical", "The sensor was guessed to be optical because the bands differ in colour.")
    return SensorGuess("optical", "The sensor was guessed to be optical; a grey picture does not tell for sure.")


def looks_like_decibels(band: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> bool:
    """True for a float band whose bulk lies where radar backscatter lies in dB: mostly negative, -70 to 50."""
    if not np.issubdtype(band.dtype, np.floating):
        return False
    keep = np.isfinite(band) if valid is None else np.isfinite(band) & valid
    values = band[keep]
    if values.size == 0:
        return False
    low, quarter, high = np.percentile(values[:: max(1, values.size // 1_000_000)], (1, 25, 99))
    return bool(-70.0 < low < -3.0 and quarter < 0.0 and high < 50.0 and high - low > 3.0)


def _is_grey(bands: NDArray[np.generic]) -> bool:
    """True when the first three bands are the same picture (JPEG may leave a difference of a grey level or two)."""
    sample = bands[:3, ::4, ::4].astype(np.float32)
    spread = float(np.abs(sample - sample.mean(axis=0)).mean())
    return spread <= 1.0 if bands.dtype == np.uint8 else spread <= 1e-3 * float(np.abs(sample).max() + 1e-12)
