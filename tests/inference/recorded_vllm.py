"""What of vLLM our engine uses, as vLLM 0.33.0 has it: names, parameters and results, recorded from its sources.

Stands in where vLLM cannot run. It is strict: a parameter that vLLM does not have is a TypeError. Its words come from
the folder that it is given, read by `transformers`, a token or two a step for each request; its weights are in bf16,
its sums in fp32, so that it can be compared to more than three digits.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

VERSION = "0.33.0"
STOP_BIAS = 100.0  # vLLM's largest, either way


class RequestOutputKind(enum.Enum):
    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2


@dataclass(kw_only=True)
class SamplingParams:
    temperature: float = 1.0
    seed: int | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    max_tokens: int | None = 16
    logprobs: int | None = None
    detokenize: bool = True
    output_kind: RequestOutputKind = RequestOutputKind.CUMULATIVE
    logit_bias: dict[int, float] | None = None


@dataclass(kw_only=True)
class EngineArgs:
    model: str
    skip_tokenizer_init: bool = False
    enable_prompt_embeds: bool = False
    dtype: str = "auto"
    max_model_len: int | None = None
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.92
    logprobs_mode: str = "raw_logprobs"
    disable_log_stats: bool = False


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: list[int]
    cumulative_logprob: float | None
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = None
    stop_reason: int | str | None = None


@dataclass
class RequestOutput:
    request_id: str
    outputs: list[CompletionOutput]
    finished: bool


@dataclass
class _Asked:
    embeddings: Tensor
    parameters: SamplingParams
    ids: list[int] = field(default_factory=list)


class LLMEngine:
    def __init__(self, arguments: EngineArgs) -> None:
        assert arguments.enable_prompt_embeds, "vLLM refuses embedded prompts without it"
        assert arguments.skip_tokenizer_init, "the folder has no tokenizer"
        assert arguments.logprobs_mode == "processed_logprobs", "else probabilities forget what is never said"
        self.arguments = arguments
        assert arguments.dtype == "bfloat16"
        self.model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
        self.running: dict[str, _Asked] = {}
        self.aborted: list[str] = []

    @classmethod
    def from_engine_args(cls, engine_args: EngineArgs) -> LLMEngine:
        return cls(engine_args)

    def add_request(self, request_id: str, prompt: dict[str, Tensor], params: SamplingParams) -> str:
        assert set(prompt) == {"prompt_embeds"}
        assert prompt["prompt_embeds"].ndim == 2, "(T, D), without padding"
        assert request_id not in self.running
        self.running[request_id] = _Asked(prompt["prompt_embeds"].cpu().float(), params)
        return f"{request_id}-internal"

    def has_unfinished_requests(self) -> bool:
        return bool(self.running)

    def abort_request(self, request_ids: list[str]) -> None:
        for name in request_ids:
            if self.running.pop(name, None) is not None:
                self.aborted.append(name)

    def step(self) -> list[RequestOutput]:
        return [self._advanced(name, asked) for name, asked in list(self.running.items())]

    def _advanced(self, name: str, asked: _Asked) -> RequestOutput:
        """One token, or two where two came since the last answer, as vLLM may well do."""
        wanted = asked.parameters
        said: list[int] = []
        logprobs: list[dict[int, Logprob]] = []
        reason: str | None = None
        for _ in range(1 + len(asked.ids) % 2):
            if reason is None:
                token_id, logprob = self._next(asked)
                asked.ids.append(token_id)
                said.append(token_id)
                logprobs.append({token_id: Logprob(logprob, rank=1)})
                if token_id in (wanted.stop_token_ids or ()):
                    reason = "stop"
                elif len(asked.ids) >= (wanted.max_tokens or 0):
                    reason = "length"
        if reason is not None:
            del self.running[name]
        output = CompletionOutput(0, "", said, None, logprobs, finish_reason=reason)
        return RequestOutput(name, [output], finished=reason is not None)

    @torch.inference_mode()
    def _next(self, asked: _Asked) -> tuple[int, float]:
        words = self.model.get_input_embeddings()(torch.tensor(asked.ids, dtype=torch.long))
        whole = torch.cat([asked.embeddings, words])[None]
        logits = self.model(inputs_embeds=whole).logits[0, -1].float()
        for token_id, bias in (asked.parameters.logit_bias or {}).items():
            assert abs(bias) <= STOP_BIAS
            logits[token_id] += bias
        token_id = int(logits.argmax())
        return token_id, float(logits.log_softmax(dim=0)[token_id])


def modules() -> dict[str, ModuleType]:
    """The modules to be imported instead of vLLM's."""
    vllm, sampling = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    contents: dict[str, Any] = {"EngineArgs": EngineArgs, "LLMEngine": LLMEngine, "SamplingParams": SamplingParams}
    vars(vllm).update(contents, __version__=VERSION)
    vars(sampling).update(RequestOutputKind=RequestOutputKind)
    return {"vllm": vllm, "vllm.sampling_params": sampling}
