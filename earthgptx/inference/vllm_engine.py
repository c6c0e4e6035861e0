"""vLLM as the language engine: embedded prompts go to its scheduler, tokens come back as they are made.

It serves many answers at once on CUDA machines. Of its weights it wants a folder in the layout of `transformers`
(model.weights.language_folder). vLLM gives no hidden states while it writes, so an answer that holds a `<pix>` is read
once more by the model's own language box, in one pass: the states are those that the box itself would have had.
"""

from __future__ import annotations

import importlib
import itertools
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from earthgptx.errors import BadSetting, MissingExtra
from earthgptx.inference.language_engine import IsStopped, OnToken, Words, Writing, Written
from earthgptx.model.language import Language
from earthgptx.model.weights.language_folder import save_language

NEVER = -100.0  # added to a logit; vLLM takes no lower one
# Of the card's memory, for vLLM's weights and cache; the rest holds the towers, and the language box a second time.
MEMORY_SHARE = 0.5


class VllmEngine:
    """Writes with vLLM, in this process.

    Args:
        language: the model's own box, which reads answers that hold a `<pix>`.
        words: that it must know.
        folder: the same language model, as `model.weights.language_folder.save_language` writes it.
        num_gpus: over which vLLM spreads the language model.
        memory_share: of each card's memory that vLLM takes.

    Raises:
        MissingExtra: vLLM is not installed.
    """

    def __init__(
        self,
        language: Language,
        words: Words,
        *,
        folder: Path,
        num_gpus: int = 1,
        memory_share: float = MEMORY_SHARE,
    ) -> None:
        self.language = language
        self.words = words
        self._vllm = imported()
        arguments = self._vllm.EngineArgs(
            model=str(folder),
            skip_tokenizer_init=True,
            enable_prompt_embeds=True,
            dtype="bfloat16",
            max_model_len=language.llama.config.max_position_embeddings,
            tensor_parallel_size=num_gpus,
            gpu_memory_utilization=memory_share,
            # After the words that are never said and the temperature, as the other engine tells probabilities.
            logprobs_mode="processed_logprobs",
            disable_log_stats=True,
        )
        self._engine = self._vllm.LLMEngine.from_engine_args(arguments)
        self._numbers = itertools.count()

    @torch.inference_mode()
    def write(
        self,
        embeddings: Tensor,
        present: Tensor,
        writing: Writing,
        *,
        on_token: OnToken,
        is_stopped: IsStopped | None = None,
    ) -> list[Written]:
        """As `LanguageEngine.write`.

        Raises:
            BadSetting: several answers are to be followed at once, which vLLM does not do with embedded prompts.
        """
        if writing.num_beams > 1:
            raise BadSetting(f"{writing.num_beams} beams were asked for; vLLM follows 1 answer at a time.")
        prompts = [states[is_there] for states, is_there in zip(embeddings, present, strict=True)]
        places = {self._ask(prompt, writing, place): place for place, prompt in enumerate(prompts)}
        said: list[list[int]] = [[] for _ in prompts]
        stopped: set[int] = set()
        try:
            while self._engine.has_unfinished_requests():
                given_up = [] if is_stopped is None else [name for name, place in places.items() if is_stopped(place)]
                self._engine.abort_request(given_up)
                stopped.update(places.pop(name) for name in given_up)
                for output in self._engine.step():
                    if output.request_id in places:  # not of one that nobody waits for
                        place = places[output.request_id]
                        said[place] += self._told(output.outputs[0], place, on_token)
                        if output.finished:
                            del places[output.request_id]
        finally:
            self._engine.abort_request(list(places))  # of an interrupted batch nobody hears the rest
        return [
            Written((), is_stopped=True) if place in stopped else Written(self._states(prompt, ids))
            for place, (prompt, ids) in enumerate(zip(prompts, said, strict=True))
        ]

    def _ask(self, prompt: Tensor, writing: Writing, place: int) -> str:
        """Queues one prompt (T, D); gives the name of its request."""
        name = f"answer-{next(self._numbers)}"
        parameters = self._vllm.SamplingParams(
            max_tokens=writing.max_new_tokens,
            temperature=writing.temperature,
            seed=writing.seed + place,
            ignore_eos=True,  # the dialogue's own end word ends an answer
            stop_token_ids=[self.words.end],
            logit_bias=dict.fromkeys(self.words.never, NEVER),
            logprobs=0,  # of the chosen token alone
            detokenize=False,
            output_kind=importlib.import_module("vllm.sampling_params").RequestOutputKind.DELTA,
        )
        self._engine.add_request(name, {"prompt_embeds": prompt.to(torch.bfloat16)}, parameters)
        return name

    def _told(self, output: Any, place: int, on_token: OnToken) -> list[int]:
        """The tokens that came since the last step, told, without the end word."""
        ids = []
        for token_id, choices in zip(output.token_ids, output.logprobs, strict=True):
            if token_id != self.words.end:
                on_token(place, token_id, math.exp(choices[token_id].logprob))
                ids.append(token_id)
        return ids

    def _states(self, prompt: Tensor, ids: list[int]) -> tuple[Tensor, ...]:
        """The state after each `<pix>`, from one pass over the prompt and the answer."""
        wanted = [len(prompt) + place for place, token_id in enumerate(ids) if token_id == self.words.state_wanted]
        if not wanted:
            return ()
        answer = self.language.embed(torch.tensor([ids], device=prompt.device))
        whole = torch.cat([prompt[None], answer.to(prompt.dtype)], dim=1)
        hidden = self.language(whole, torch.ones(whole.shape[:2], dtype=torch.bool, device=prompt.device))[0]
        return tuple(hidden[place] for place in wanted)


def started(language: Language, words: Words) -> VllmEngine:
    """vLLM with a language box's own weights; they pass through a temporary folder, as large as they are in bf16.

    Raises:
        MissingExtra: vLLM is not installed.
    """
    imported()  # before anything large is written
    with TemporaryDirectory() as folder:
        return VllmEngine(language, words, folder=save_language(language, Path(folder)))


def imported() -> ModuleType:
    """vLLM itself.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module("vllm")
    except ImportError as error:
        raise MissingExtra(
            'vLLM is not installed; on a CUDA machine it comes with pip install "earthgptx[vllm]".'
        ) from error
