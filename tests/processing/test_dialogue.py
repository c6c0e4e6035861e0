"""A dialogue's tokens: loss on the model's words alone, a mark beside its number, and counts that are checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.sample import Turn
from earthgptx.errors import MisplacedTokens
from earthgptx.processing.batch import IGNORED
from earthgptx.processing.dialogue import CHAT_FORMATS, ChatFormat, Dialogue, encode_dialogue, header
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer

VOCABULARY = Vocabulary.of(byte_tokenizer(512))
CHATML = CHAT_FORMATS["chatml"]
IMAGE_TOKENS, REGION_TOKENS = 7, 3
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), min_size=1, max_size=20)


def encode(*texts: str, num_marks: int = 0, chat: ChatFormat = CHATML) -> Dialogue:
    """User and model in turn."""
    return encode_dialogue(
        [Turn("model" if place % 2 else "user", text) for place, text in enumerate(texts)],
        sensor="sar",
        num_marks=num_marks,
        image_tokens=IMAGE_TOKENS,
        region_tokens=REGION_TOKENS,
        vocabulary=VOCABULARY,
        chat=chat,
    )


def decode(ids: list[int]) -> str:
    return VOCABULARY.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def learned(dialogue: Dialogue) -> list[str]:
    """The runs of tokens that carry loss, as text."""
    runs: list[list[int]] = []
    before = False
    for label in dialogue.labels:
        if label != IGNORED:
            if not before:
                runs.append([])
            runs[-1].append(label)
        before = label != IGNORED
    return [decode(run) for run in runs]


@given(st.lists(words, min_size=1, max_size=6), st.integers(0, 3), st.sampled_from(sorted(CHAT_FORMATS)))
def test_only_the_model_s_words_and_their_end_are_learned(texts: list[str], num_marks: int, name: str):
    chat = CHAT_FORMATS[name]
    dialogue = encode(*texts, num_marks=num_marks, chat=chat)
    assert learned(dialogue) == [text + chat.end for text in texts[1::2]]
    assert len(dialogue.labels) == len(dialogue.token_ids)
    assert all(label in (IGNORED, token) for label, token in zip(dialogue.labels, dialogue.token_ids, strict=True))


@given(words, st.integers(0, 5))
def test_images_and_marks_take_their_tokens(question: str, num_marks: int):
    ids = encode(question, num_marks=num_marks).token_ids
    assert ids.count(VOCABULARY.image) == IMAGE_TOKENS
    assert ids.count(VOCABULARY.region) == REGION_TOKENS * num_marks


def test_a_mark_stands_beside_its_number():
    text = decode(encode("What are they?", num_marks=2).token_ids)
    image, region = "<image>" * IMAGE_TOKENS, "<region>" * REGION_TOKENS
    assert text == (
        f"<|im_start|>user\nsar image {image}\n<Region 1>{region} <Region 2>{region}\nWhat are they?"
        "<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_published_chat_format():
    text = decode(encode("Is it?", "yes", "Sure?", chat=CHAT_FORMATS["llama2"]).token_ids)
    image = "<image>" * IMAGE_TOKENS
    assert text == f"<s>[INST] sar image {image}\nIs it? [/INST] yes</s>\n[INST] Sure? [/INST] "


def test_the_header_stands_once_however_long_the_dialogue():
    dialogue = encode("What?", "<Region 1>: ship", "And now?", "the same", "Sure?", num_marks=1)
    assert dialogue.token_ids.count(VOCABULARY.image) == IMAGE_TOKENS
    assert decode(dialogue.token_ids).count("sar image") == 1


def test_a_question_may_place_marks_and_image_itself():
    question = "In <image>, is <Region 1><region> like <Region 2><region>?"
    assert header("sar", 2, question) == question
    ids = encode(question, num_marks=2).token_ids
    assert decode(ids).startswith("<|im_start|>user\nIn <image>")
    assert ids.count(VOCABULARY.region) == 2 * REGION_TOKENS


@pytest.mark.parametrize(
    ("question", "num_marks", "sentence"),
    [
        ("Compare <region> and <region>.", 1, "The text has 2 <region> places but there are 1"),
        ("Look at <region>.", 2, "The text has 1 <region> places but there are 2"),
        ("Look at <region>.", 0, "The text has 1 <region> places but there are 0"),
        ("Compare <image> and <image>.", 0, "The text has 2 <image> places but there are 1"),
    ],
)
def test_places_that_do_not_fit_are_refused_with_both_counts(question: str, num_marks: int, sentence: str):
    with pytest.raises(MisplacedTokens, match=sentence):
        encode(question, num_marks=num_marks)


def test_a_place_in_a_later_turn_is_refused():
    with pytest.raises(MisplacedTokens, match="2 <region> places"):
        encode("What is it?", "a ship", "And <region>?", num_marks=1)
