"""The visible table of words: which names of open vocabularies mean the same, and which are more general.

Only data, all of it as `class_names.tidied` writes names.
"""

from __future__ import annotations

# Open vocabularies: other words for the same thing, all of them tidied. Only words that mean the same in every
# picture; a kind of a thing ("truck", "small vehicle", "sailboat") stays what its dataset calls it.
SYNONYMS: dict[str, str] = {
    "aeroplane": "airplane",
    "air plane": "airplane",
    "aircraft": "airplane",
    "plane": "airplane",
    "automobile": "car",
    "baseball field": "baseball diamond",
    "bike": "bicycle",
    "cell phone": "mobile phone",
    "cellphone": "mobile phone",
    "chopper": "helicopter",
    "couch": "sofa",
    "fridge": "refrigerator",
    "golf field": "golf course",
    "harbour": "harbor",
    "human": "person",
    "lorry": "truck",
    "motor bike": "motorcycle",
    "motorbike": "motorcycle",
    "motor cycle": "motorcycle",
    "oil tank": "storage tank",
    "pedestrian": "person",
    "railway station": "train station",
    "soccer ball field": "soccer field",
    "stop light": "traffic light",
    "stoplight": "traffic light",
    "television": "tv",
    "television set": "tv",
    "tyre": "tire",
    "vessel": "ship",
}

# General words and labels of things that someone may call so, beside labels that end in the word: where one is in the
# picture, the general word alone does not tell which object is meant.
KINDS: dict[str, tuple[str, ...]] = {
    "airplane": ("a220", "a320/a321", "a330", "arj21", "boeing 737", "boeing 787"),
    "animal": ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra"),
    "boat": ("canoe", "sailboat", "ship"),
    "building": ("house", "hotel", "skyscraper", "tower"),
    "clothing": ("coat", "dress", "hat", "jacket", "jeans", "shirt", "shorts", "suit", "trousers"),
    "man": ("person", "people", "boy"),
    "people": ("person", "man", "woman", "boy", "girl", "men", "women", "child", "children"),
    "person": ("people", "man", "woman", "boy", "girl", "child", "baby", "player", "rider", "cyclist", "skier"),
    "plant": ("bush", "flower", "grass", "houseplant", "tree"),
    "ship": ("boat", "bulk carrier", "canoe", "fishing boat", "liner", "sailboat", "warship"),
    "street": ("road",),
    "road": ("street", "highway"),
    "vehicle": ("bicycle", "bus", "car", "motorcycle", "taxi", "train", "truck", "van"),
    "woman": ("person", "people", "girl"),
}
