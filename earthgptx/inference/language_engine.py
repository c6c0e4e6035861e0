"""The seam behind which a language model writes: embedded prompts go in, words and some of their states come out.

Whoever writes knows no scene, no mark and no text, so any server of language models that reads embeddings can stand
here. What stands here by default is `torch_engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

EngineName = Literal["torch", "vllm"]
IsStopped = Callable[[int], bool]
OnToken = Callable[[int, int, float], None]  # prompt, token id, the probability with which it was chosen


@dataclass(frozen=True, kw_only=True)
class Words:
    """Token ids that mean something to whoever writes.

    Attributes:
        end: ends an answer, and is not part of it.
        state_wanted: `<pix>`: the state is kept that the model has after reading it.
        never: placeholders, which are never written.
    """

    end: int
    state_wanted: int
    never: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How to write.

    Attributes:
        max_new_tokens: where an answer that does not end is cut.
        temperature: 0 takes the likeliest token.
        seed: of the sampling.
        num_beams: 1 writes word by word; more follow so many answers at once and give the one that agrees most with
            all. Temperature, seed and a stop have no say then.
    """

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    num_beams: int = 1


@dataclass(frozen=True)
class Written:
    """What is left of one answer once its tokens were told.

    Attributes:
        states: (D,) after the last norm, one for each `state_wanted` among its tokens, in order.
        is_stopped: whether nobody waited for the rest of it.
    """

    states: tuple[Tensor, ...]
    is_stopped: bool = False


class LanguageEngine(Protocol):
    """Writes answers to embedded prompts."""

    def write(
        self,
        embeddings: Tensor,
        present: Tensor,
        writing: Writing,
        *,
        on_token: OnToken,
        is_stopped: IsStopped | None = None,
    ) -> Sequence[Written]:
        """Answers prompts in one batch.

        Args:
            embeddings: (B, T, D) of the prompts, padded on the left.
            present: (B, T) booleans, False where there is only padding.
            writing: how.
            on_token: told each token of each answer, in order, no later than this returns; the end word is not told.
            is_stopped: asked of each prompt before each token whether nobody waits for the rest of its answer.

        Returns:
            One of each prompt, in order.
        """
