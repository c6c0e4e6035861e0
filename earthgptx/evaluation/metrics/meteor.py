"""METEOR 1.5 by its authors' Java program, which comes with ``pycocoevalcap``, and its score from summed counts.

The program is started once for all captions and aligns each with its references; what comes out are 23 counts a
caption. METEOR of a corpus is a function of the summed counts, not the mean over captions, so any part of a corpus
and any resample is scored from the same counts without Java. Where Java or the program is missing there is no METEOR:
other programs of that name give other numbers.

Source: Denkowski and Lavie, Meteor Universal (WMT 2014), equations 1 to 5, with the program's settings for English.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics.bootstrap import CorpusScore

NUM_COUNTS = 23
JAR = "meteor-1.5.jar"

# Weights of matches that are exact, of one stem, synonyms, paraphrases; alpha, beta, gamma, delta of the paper.
_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75


def find_java(environment: Mapping[str, str] = os.environ) -> Path:
    """The Java program: ``JAVA_HOME``'s where that is set and has one, else the first on ``PATH``.

    Raises:
        MetricUnavailable: there is none.
    """
    name = "java.exe" if os.name == "nt" else "java"
    home = environment.get("JAVA_HOME")
    if home and os.access(Path(home, "bin", name), os.X_OK):
        return Path(home, "bin", name)
    found = shutil.which(name, path=environment.get("PATH", ""))
    if found is None:
        raise MetricUnavailable("METEOR needs Java, and there is none on PATH or in JAVA_HOME.")
    return Path(found)


def find_jar() -> Path:
    """METEOR's program in the installed ``pycocoevalcap``; nothing of that package is imported.

    Raises:
        MetricUnavailable: the package is not installed, or has no such file.
    """
    package = importlib.util.find_spec("pycocoevalcap")
    for folder in (package.submodule_search_locations or ()) if package else ():
        jar = Path(folder, "meteor", JAR)
        if jar.is_file():
            return jar
    raise MetricUnavailable(f"{JAR} is missing; it comes with pycocoevalcap, the extra eval.")


def meteor_counts(
    captions: Sequence[str], references: Sequence[Sequence[str]], *, java: Path | None = None
) -> NDArray[np.float64]:
    """(captions, 23) METEOR's counts of each caption against the reference that it fits best.

    One Java process is started, whatever the number of captions; it needs about 1.1 GB of memory and some seconds,
    which it spends on its table of paraphrases.

    Args:
        captions: in lower case, words between single spaces, no line breaks and no "|||".
        references: of each caption, in the same form.
        java: the Java program; None looks for it.

    Raises:
        MetricUnavailable: Java or METEOR is missing, or it ends with an error.
        ValueError: captions and references differ in number.
    """
    if len(captions) != len(references):
        raise ValueError(f"{len(captions)} captions do not belong to {len(references)} lists of references")
    command = [str(java or find_java()), "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", str(find_jar())]
    lines = [" ||| ".join(["SCORE", *true, said]) for said, true in zip(captions, references, strict=True)]
    # Its answers are short and are read when it ends, so neither side waits for the other.
    ended = subprocess.run(
        [*command, "-", "-", "-stdio", "-l", "en", "-norm"],
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    answers = [line.split() for line in ended.stdout.splitlines()]
    if ended.returncode != 0 or len(answers) != len(lines) or any(len(one) != NUM_COUNTS for one in answers):
        last_words = (ended.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise MetricUnavailable(
            f"METEOR's program gave {len(answers)} lines for {len(lines)} captions and ended with code "
            f"{ended.returncode}: {last_words}"
        )
    return np.array(answers, dtype=np.float64).reshape(len(lines), NUM_COUNTS)


def meteor_of_counts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...,) METEOR in [0, 1] of (..., 23) counts of single captions, each by itself."""
    return _score(_without_perfect_chunks(counts))


def meteor_of(counts: NDArray[np.float64]) -> CorpusScore:
    """METEOR of a corpus, from the (captions, 23) counts of its captions."""
    summable = _without_perfect_chunks(counts)
    return lambda weights: _score(weights @ summable)


def _without_perfect_chunks(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """A caption that is matched as a whole in one piece is not broken at all: the program counts 0 chunks of it."""
    kept = counts.copy()
    is_whole = (kept[..., 20] == 1) & (kept[..., 21] == kept[..., 0]) & (kept[..., 22] == kept[..., 1])
    kept[..., 20] = np.where(is_whole, 0.0, kept[..., 20])
    return kept


def _score(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    said, true, said_function, true_function = (counts[..., place] for place in range(4))
    # (..., 4 kinds of match, [content words said, content words true, function words said, function words true])
    matches = counts[..., 4:20].reshape(*counts.shape[:-1], 4, 4)
    precision = _share(matches[..., 0], matches[..., 2], said - said_function, said_function)
    recall = _share(matches[..., 1], matches[..., 3], true - true_function, true_function)
    mean = _ratio(precision * recall, _ALPHA * precision + (1 - _ALPHA) * recall)
    fragments = _ratio(counts[..., 20], (counts[..., 21] + counts[..., 22]) / 2)
    score: NDArray[np.float64] = mean * (1 - _GAMMA * fragments**_BETA)
    return score


def _share(
    content: NDArray[np.float64],
    function: NDArray[np.float64],
    all_content: NDArray[np.float64],
    all_function: NDArray[np.float64],
) -> NDArray[np.float64]:
    matched = (_DELTA * content + (1 - _DELTA) * function) @ _WEIGHTS
    return _ratio(matched, _DELTA * all_content + (1 - _DELTA) * all_function)


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), 0.0)
