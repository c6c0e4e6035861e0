"""Turns become one token sequence with loss on the model's words only; chat formats differ in a few strings.

It knows the vocabulary and how many tokens an `<image>` and a `<region>` stand for, and no pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earthgptx.data.sample import Turn
from earthgptx.errors import MisplacedTokens
from earthgptx.processing.batch import IGNORED
from earthgptx.processing.vocabulary import IMAGE, REGION, Vocabulary


@dataclass(frozen=True)
class ChatFormat:
    """The strings around a turn.

    Attributes:
        user: before the user's words.
        model: between the user's words and the model's.
        end: after the model's words; the model learns to write it.
        begin: once, at the very start.
    """

    user: str
    model: str
    end: str
    begin: str = ""


CHAT_FORMATS = {
    "chatml": ChatFormat(user="<|im_start|>user\n", model="<|im_end|>\n<|im_start|>assistant\n", end="<|im_end|>"),
    "llama2": ChatFormat(begin="<s>", user="[INST] ", model=" [/INST] ", end="</s>"),
}


@dataclass(frozen=True)
class Dialogue:
    """One token sequence.

    Attributes:
        token_ids: ids, `<image>` and `<region>` expanded.
        labels: ids where the model writes, IGNORED elsewhere.
    """

    token_ids: list[int]
    labels: list[int]


def header(sensor: str, num_marks: int, question: str) -> str:
    """What stands before the first question: the image, and each mark bound to its number by adjacency.

    A question that places `<region>` itself (once a mark) keeps its own wording.
    """
    image = "" if IMAGE in question else f"{sensor} image {IMAGE}\n"
    if num_marks == 0 or REGION in question:
        return image + question
    marks = " ".join(f"<Region {number}>{REGION}" for number in range(1, num_marks + 1))
    return f"{image}{marks}\n{question}"


def encode_dialogue(
    turns: Sequence[Turn],
    *,
    sensor: str,
    num_marks: int,
    image_tokens: int,
    region_tokens: int,
    vocabulary: Vocabulary,
    chat: ChatFormat,
) -> Dialogue:
    """Encodes turns; a last user turn without an answer ends where the model is to begin.

    Raises:
        MisplacedTokens: a text names more or fewer `<region>` or `<image>` places than there are marks or images.
    """
    ids: list[int] = []
    labels: list[int] = []

    def add(text: str, *, learned: bool) -> None:
        new = vocabulary.tokenizer.encode(text, add_special_tokens=False)
        ids.extend(new)
        labels.extend(new if learned else [IGNORED] * len(new))

    if chat.begin:
        add(chat.begin, learned=False)
    for place, turn in enumerate(turns):
        if turn.role == "user":
            text = header(sensor, num_marks, turn.text) if place == 0 else turn.text
            add(chat.user + text + chat.model, learned=False)
        else:
            add(turn.text + chat.end, learned=True)
            if place + 1 < len(turns):
                add("\n", learned=False)
    for word, token_id, wanted in ((IMAGE, vocabulary.image, 1), (REGION, vocabulary.region, num_marks)):
        if ids.count(token_id) != wanted:
            raise MisplacedTokens(f"The text has {ids.count(token_id)} {word} places but there are {wanted}.")
    repeats = {vocabulary.image: image_tokens, vocabulary.region: region_tokens}
    return Dialogue(
        token_ids=[i for i in ids for _ in range(repeats.get(i, 1))],
        labels=[lab for i, lab in zip(ids, labels, strict=True) for _ in range(repeats.get(i, 1))],
    )
