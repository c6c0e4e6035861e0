"""English nouns by rule: the plural of a word or phrase, and the article in front of it.

Written for names of things that pictures show, in lower case; it knows no dataset and no class.
"""

from __future__ import annotations

import re

_IRREGULAR = {
    "calf": "calves",
    "child": "children",
    "deer": "deer",
    "fish": "fish",
    "foot": "feet",
    "goose": "geese",
    "half": "halves",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "potato": "potatoes",
    "scarf": "scarves",
    "shelf": "shelves",
    "tomato": "tomatoes",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}
# "policeman", "snowman", "bookshelf"; not "german", "human" or "roman", which are no men.
_COMPOUND = re.compile(r"^(\w{2,})(woman|man|child|shelf|knife)$")
_NO_MEN = frozenset(("caiman", "german", "human", "ottoman", "roman", "shaman", "talisman"))
# Words that have no plural of their own, or are plurals already: they take "some".
_UNCOUNTED = re.compile(
    r"(?:^|\s)(?:aircraft|bread|broccoli|cattle|children|clothes|clothing|cutlery|dirt|equipment|feet|food|footwear|"
    r"furniture|glasses|goggles|grass|gravel|ground|hair|jeans|land|luggage|men|mud|pants|people|rice|sand|scissors|"
    r"sheep|shorts|smoke|snow|sunglasses|tableware|teeth|trousers|water|women|wood)$"
)
# A name in an open list of classes may be a plural: "trees", "skis", "mice". These end in s and are none.
_ONE_THING = re.compile(r"^(?:[a-z]{1,2}|atlas|bias|canvas|christmas|cosmos|gas|lens|rhinoceros|thermos)$")
_MANY = frozenset(("bikinis", "kiwis", "menus", "skis", "taxis", "zucchinis")) | (
    set(_IRREGULAR.values()) - set(_IRREGULAR)
)
_VOWELS = tuple("aeiou")
# Written with a vowel and spoken with a consonant ("you", "one"), and the other way round; letters are spelled out.
_SPOKEN_CONSONANT = re.compile(r"^(?:uni(?!n|m|d)|us[aeu]|ute|util|uri|ukul|ufo|eu|ewe|u(?![a-z])|one(?![a-z]))")
_SPOKEN_VOWEL = re.compile(r"^(?:hour|heir|honou?r|suvs?\b|rvs?\b|lcd|hvac|mp\d|[fhlmnrsx](?![a-z])|8|1[18](?!\d))")


def plural_of(words: str) -> str:
    """The plural of a word or of a phrase's last word, as in "bus stops", "bookshelves" and "people"."""
    head, space, word = words.rpartition(" ")
    return f"{head}{space}{_plural_word(word)}"


def is_uncounted(words: str) -> bool:
    """Whether the last word takes "some" and has no plural of its own, as in "dry grass", "scissors" and "trees"."""
    return _UNCOUNTED.search(words) is not None or _is_plural(words.rpartition(" ")[2])


def article_of(words: str) -> str:
    """The word in front: "some" for what is not counted, else "a" or "an" by how the start is spoken."""
    if is_uncounted(words):
        return "some"
    return indefinite(words)


def indefinite(words: str) -> str:
    """The article "a" or "an" by how the start is spoken, as in "an hour" and "a unicycle"."""
    if _SPOKEN_VOWEL.match(words):
        return "an"
    return "an" if words.startswith(_VOWELS) and not _SPOKEN_CONSONANT.match(words) else "a"


def _is_plural(word: str) -> bool:
    if word in _MANY:
        return True
    return word.endswith("s") and not word.endswith(("ss", "us", "is")) and _ONE_THING.search(word) is None


def _plural_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if is_uncounted(word):
        return word
    compound = _COMPOUND.match(word)
    if compound and word not in _NO_MEN:
        return f"{compound[1]}{_IRREGULAR[compound[2]]}"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and not word.endswith(tuple(f"{vowel}y" for vowel in _VOWELS)):
        return f"{word[:-1]}ies"
    return f"{word}s"
