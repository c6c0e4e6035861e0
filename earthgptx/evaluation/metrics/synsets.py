"""Which words mean the same: WordNet 3.0's synsets of a word or phrase, read out of METEOR's program file.

METEOR carries the words of WordNet and the numbers of their synsets, and the irregular forms. Two words are synonyms
where they share a number; a broader word is no synonym ("ship" and "vessel" share none). The file is opened as the
zip archive that it is: no Java is needed.

Source: Miller, WordNet: A Lexical Database for English (1995); the endings are those of its own lemmatiser, Morphy.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

_FOLDER = "synonym/english."

# Ending -> what stands there in the dictionary's form; nouns, verbs and adjectives together. Morphy's "-ful" is not
# among them: it would make "colorful" a color.
_ENDINGS = (
    ("ches", "ch"),
    ("shes", "sh"),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ies", "y"),
    ("men", "man"),
    ("est", ""),
    ("est", "e"),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("er", ""),
    ("er", "e"),
    ("es", ""),
    ("es", "e"),
    ("s", ""),
)


class Synsets:
    """Synset numbers of words, those of their dictionary forms included."""

    def __init__(self, numbers: Mapping[str, frozenset[int]], irregular: Mapping[str, frozenset[str]]) -> None:
        """Takes the synset numbers of every word, phrases joined by "_", and the base forms of irregular ones."""
        self._numbers, self._irregular = numbers, irregular
        self._known: dict[str, frozenset[int]] = {}

    @classmethod
    def read(cls, jar: Path) -> Synsets:
        """Reads METEOR's program file; takes about a second.

        Raises:
            KeyError: the archive holds no such dictionary.
        """
        with zipfile.ZipFile(jar) as archive:
            words = archive.read(_FOLDER + "synsets").decode("utf-8").splitlines()
            forms = archive.read(_FOLDER + "exceptions").decode("utf-8").splitlines()
        # Both files hold pairs of lines: a word and its synsets' numbers; a base form and its irregular forms.
        numbers = {word: frozenset(map(int, line.split())) for word, line in zip(words[::2], words[1::2], strict=True)}
        irregular: dict[str, set[str]] = {}
        for base, line in zip(forms[::2], forms[1::2], strict=True):
            for form in line.split():
                irregular.setdefault(form, set()).add(base)
        return cls(numbers, {form: frozenset(bases) for form, bases in irregular.items()})

    def of(self, phrase: str) -> frozenset[int]:
        """Numbers of all synsets that a phrase in lower case, words between spaces, may belong to."""
        word = phrase.replace(" ", "_")
        if word not in self._known:
            found = set(self._numbers.get(word, ()))
            for base in self._bases(word):
                found |= self._numbers.get(base, frozenset())
            self._known[word] = frozenset(found)
        return self._known[word]

    def _bases(self, word: str) -> frozenset[str]:
        if word in self._irregular:
            return self._irregular[word]
        return frozenset(word.removesuffix(ending) + new for ending, new in _ENDINGS if word.endswith(ending))
