"""Our five words and their ids. They stand right after the base vocabulary, which stays as it was.

It knows a tokenizer's interface and nothing of images.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

IMAGE, REGION, PIX, PHRASE_START, PHRASE_END = "<image>", "<region>", "<pix>", "<p>", "</p>"
SPECIAL_TOKENS = (IMAGE, REGION, PIX, PHRASE_START, PHRASE_END)


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer that knows our words, and their ids.

    Attributes:
        tokenizer: any fast tokenizer to which SPECIAL_TOKENS were added.
        image, region, pix: ids.
        size: number of ids, ours included.
    """

    tokenizer: PreTrainedTokenizerBase
    image: int
    region: int
    pix: int
    size: int

    @staticmethod
    def of(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        """Reads the ids from the whole words: the first id of a tokenised "<pix>" may be a prefix piece (LISA #55).

        Raises:
            ValueError: the tokenizer does not know one of our words.
        """
        known = tokenizer.get_vocab()
        for token in SPECIAL_TOKENS:
            if token not in known:
                raise ValueError(f"The tokenizer's {len(known)} words do not hold {token}.")
        ids = [known[token] for token in SPECIAL_TOKENS]
        return Vocabulary(tokenizer=tokenizer, image=ids[0], region=ids[1], pix=ids[2], size=len(tokenizer))


def byte_tokenizer(base_vocabulary_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of single bytes with ChatML's words, for the size `tiny`: no file, no download.

    Our words take the ids from `base_vocabulary_size` on; ids between the last byte and there are never used.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [*alphabet, "<|im_start|>", "<|im_end|>"]
    unused = [f"<|unused_{place}|>" for place in range(base_vocabulary_size - len(names))]
    words = [*names, *unused, *SPECIAL_TOKENS]
    tokenizer = Tokenizer(models.BPE(vocab={word: place for place, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = ("<|im_start|>", "<|im_end|>", *SPECIAL_TOKENS)
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in marks])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|im_end|>", eos_token="<|im_end|>")
