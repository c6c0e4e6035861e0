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
_WORDS: dict[str, frozenset[str]] = {
    "sar": frozenset(
        {"sar", "hh", "hv", "vh", "vv", "grd", "slc", "amplitude", "backscatter", "sigma0", "gamma0", "beta0"}
        | {"sentinel1", "s1a", "s1b", "s1c", "capella", "iceye", "umbra", "terrasar", "radarsat", "palsar"}
    ),
    "infrared": frozenset({"infrared", "thermal", "ir", "tir", "lwir", "mwir", "flir", "lst", "temperature"}),
    "optical": frozenset({"red", "green", "blue", "rgb", "rgba", "nir", "pan", "panchromatic"}),
}
_BLOCK = 4  # pixels a side of the blocks whose texture is measured


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
    words += [word.rstrip("0123456789") for word in words]  # "pan1" is "pan"; "s1a" and "sigma0" keep their own form
    for sensor, vocabulary in _WORDS.items():
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
        sensor, reason = "sar", "the pixels are complex numbers"
    elif looks_like_decibels(bands[0], valid):
        sensor, reason = "sar", "the values look like decibels"
    elif bands.shape[0] >= 3 and not _is_grey(bands):
        sensor, reason = "optical", "the bands differ in colour"
    else:
        sensor, reason = _from_texture(_grey_levels(bands[0]), is_picture=bands.dtype == np.uint8)
    return SensorGuess(sensor, f"The sensor was guessed to be {sensor}: {reason}.")


def _from_texture(grey: NDArray[np.float32], *, is_picture: bool) -> tuple[str, str]:
    """Sensor and reason for one grey picture (H, W) of values 0..255, from its finest texture.

    Speckle makes a radar picture's 4 x 4 blocks vary by a third of their mean or more, and ships make its
    histogram skew; thermal optics leave neighbours nearly alike. The three limits were chosen on 760 training
    pictures of SSDD, MSTAR, SAR-ACD, HIT-UAV, VHR-10 and RSICD (the last two made grey) and get 97% of
    them right. Skew counts only in 8-bit pictures: every raw count, of whatever sensor, is skewed.
    """
    height, width = (side - side % _BLOCK for side in grey.shape)
    if height == 0 or width == 0:
        return "optical", "it is too small to tell"
    grid = grey[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks = grid.swapaxes(1, 2).reshape(-1, _BLOCK * _BLOCK)
    means = blocks.mean(axis=1)
    lit = means > 4.0
    variation = float(np.median(blocks[lit].std(axis=1) / means[lit])) if lit.any() else 0.0
    skew = float(((grey - grey.mean()) ** 3).mean() / (grey.std() + 1e-3) ** 3)
    smoothness = (_step_correlation(grey) + _step_correlation(grey.T)) / 2
    if variation > 0.3 or (is_picture and skew > 3.0):
        return "sar", f"a grey picture with radar's speckle or glints ({variation:.2f}, skew {skew:.1f})"
    if smoothness > 0.5 and variation < 0.07:
        return "infrared", f"a grey picture as smooth as thermal optics leave it ({smoothness:.2f})"
    return "optical", "a grey picture with neither the speckle of radar nor the smoothness of thermal optics"


def _step_correlation(grey: NDArray[np.float32]) -> float:
    """Correlation of each step between neighbours with the next: -0.5 for white noise, near 1 if smooth."""
    steps = np.diff(grey, axis=1)
    if steps.shape[1] < 2:
        return 0.0
    return float((steps[:, 1:] * steps[:, :-1]).mean() / ((steps * steps).mean() + 1e-6))


def _grey_levels(band: NDArray[np.generic]) -> NDArray[np.float32]:
    """The central 512 x 512 values at most, on a scale of 0..255; bytes are on it already."""
    rows, columns = (slice(max(0, side - 512) // 2, max(0, side - 512) // 2 + 512) for side in band.shape)
    grey = np.nan_to_num(band[rows, columns].astype(np.float32), posinf=0.0, neginf=0.0)
    if band.dtype == np.uint8:
        return grey
    top = float(np.percentile(grey, 99.9))
    return grey * np.float32(255.0 / top) if top > 0 else grey


def looks_like_decibels(band: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> bool:
    """True for a float band whose bulk lies where backscatter in dB does: mostly negative, -70 to 50."""
    if not np.issubdtype(band.dtype, np.floating):
        return False
    keep = np.isfinite(band) if valid is None else np.isfinite(band) & valid
    values = band[keep]
    if values.size == 0:
        return False
    low, quarter, high = np.percentile(values[:: max(1, values.size // 1_000_000)], (1, 25, 99))
    return bool(-70.0 < low < -3.0 and quarter < 0.0 and high < 50.0 and high - low > 3.0)


def _is_grey(bands: NDArray[np.generic]) -> bool:
    """True when the first three bands are the same picture, up to a grey level that JPEG may leave."""
    sample = bands[:3, ::4, ::4].astype(np.float32)
    spread = float(np.abs(sample - sample.mean(axis=0)).mean())
    return spread <= 1.0 if bands.dtype == np.uint8 else spread <= 1e-3 * float(np.abs(sample).max() + 1e-12)
