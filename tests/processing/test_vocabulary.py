"""Our words are single ids behind any base vocabulary, and the byte tokenizer gives every text back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from earthgptx.processing.vocabulary import SPECIAL_TOKENS, Vocabulary, byte_tokenizer

BASE = 512
TOKENIZER = byte_tokenizer(BASE)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def ids_of(text: str) -> list[int]:
    return TOKENIZER.encode(text, add_special_tokens=False)


@given(texts)
def test_every_text_comes_back(text: str):
    ids = ids_of(text)
    assert TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) == text


@given(st.lists(st.one_of(texts, st.sampled_from(SPECIAL_TOKENS)), max_size=6))
def test_our_words_are_one_id_wherever_they_stand(pieces: list[str]):
    text = "".join(pieces)
    ids = ids_of(text)
    for word, token_id in zip(SPECIAL_TOKENS, range(BASE, BASE + 5), strict=True):
        assert ids.count(token_id) == text.count(word)
    assert TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("base", [258, 512, 1000])
def test_ids_follow_the_base_vocabulary(base: int):
    vocabulary = Vocabulary.of(byte_tokenizer(base))
    assert (vocabulary.image, vocabulary.region, vocabulary.pix) == (base, base + 1, base + 2)
    assert vocabulary.size == base + len(SPECIAL_TOKENS)


def test_a_tokenizer_without_our_words_is_refused():
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[])))
    with pytest.raises(ValueError, match="2 words do not hold <image>"):
        Vocabulary.of(plain)
