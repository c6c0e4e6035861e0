"""How often nano's answers change by the form in which its language model's weights are read, and by who is beside.

Questions about val images are answered greedily in bf16, eight at once; these answers are the reference. Each other way
of writing reads the same prompts and the reference's words, one after the other, and says at each place which word it
would have written. An answer is unchanged if that is the reference's at all of its places. A table comes first, then a
JSON line.

    python -m benchmarks.exactness --data ../shared/data [--limit 12] [--captions 90]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import earthgptx as egx
from earthgptx.evaluation import benchmarks
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.questions import Conditions
from earthgptx.inference.language_engine import IsStopped, OnToken, Words, Writing, Written
from earthgptx.inference.packed_weights import PackedLanguage
from earthgptx.inference.token_steps import TokenSteps
from earthgptx.model.language import Language
from earthgptx.provenance import git_commit

AT_ONCE = 8


@dataclass(frozen=True)
class Reference:
    """What one question was answered.

    Attributes:
        prompt: (T, D) embeddings.
        ids: (N,) words of the answer, its end word among them if it came.
    """

    prompt: Tensor
    ids: Tensor


class Recorder:
    """A `LanguageEngine` that writes greedily in bf16 and keeps what it was asked and said."""

    def __init__(self, language: Language, words: Words) -> None:
        self.language = language
        self.words = words
        self.references: list[Reference] = []

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
        """As `LanguageEngine.write`; masks are not wanted, so no state is kept."""
        steps = TokenSteps(self.language, embeddings, present, room=writing.max_new_tokens)
        said: list[list[int]] = [[] for _ in embeddings]
        for _ in range(writing.max_new_tokens):
            ids = likeliest(steps, self.words)
            for row, token_id in zip(said, ids.tolist(), strict=True):
                if self.words.end not in row:
                    row.append(token_id)
            if all(self.words.end in row for row in said):
                break
            steps.read(ids)
        for place, (prompt, is_there, row) in enumerate(zip(embeddings, present, said, strict=True)):
            self.references.append(Reference(prompt[is_there], torch.tensor(row)))
            for token_id in row:
                if token_id not in (self.words.end, self.words.state_wanted):
                    on_token(place, token_id, 1.0)
        return [Written(()) for _ in said]


def likeliest(steps: TokenSteps, words: Words) -> Tensor:
    """(B,) the word that each row would write next."""
    logits = steps.logits()
    logits[:, list(words.never)] = -torch.inf
    return logits.argmax(dim=-1)


@torch.inference_mode()
def places_that_stay(
    language: Language, words: Words, references: Sequence[Reference], packed: PackedLanguage | None
) -> list[Tensor]:
    """(N,) booleans of each reference, read beside the others: whether its word is still the likeliest."""
    longest = max(len(one.prompt) for one in references)
    embeddings = torch.stack(
        [torch.cat([o.prompt.new_zeros(longest - len(o.prompt), o.prompt.shape[1]), o.prompt]) for o in references]
    )
    present = torch.stack([torch.arange(longest) >= longest - len(one.prompt) for one in references])
    room = max(len(one.ids) for one in references)
    forms = {} if packed is None else {"products": packed.products, "logits": packed.logits}
    steps = TokenSteps(language, embeddings, present, room=room, **forms)
    stays: list[list[bool]] = [[] for _ in references]
    for place in range(room):
        would = likeliest(steps, words).tolist()
        read = []
        for row, one, word in zip(stays, references, would, strict=True):
            token_id = int(one.ids[min(place, len(one.ids) - 1)])
            if place < len(one.ids):
                row.append(word == token_id)
            read.append(token_id)
        steps.read(torch.tensor(read))
    return [torch.tensor(row) for row in stays]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=12, help="images of each data set that are asked about regions")
    parser.add_argument("--captions", type=int, default=90, help="images that are captioned")
    arguments = parser.parse_args()
    assistant = egx.load("nano")
    language = assistant.generator.model.language
    recorder = Recorder(language, assistant.generator.words)
    assistant.generator.engine = recorder
    for name, limit in (("roc", arguments.limit), ("captioning", arguments.captions)):
        conditions = Conditions(data=arguments.data, limit=limit, batch_size=AT_ONCE)
        benchmark = benchmarks.find(name)
        with tempfile.TemporaryDirectory() as folder, Journal.open(Path(folder) / "answers.jsonl", {}) as journal:
            benchmarks.ask(benchmark, assistant, benchmarks.pose(benchmark, conditions), journal, conditions)
    references = sorted(recorder.references, key=lambda one: len(one.prompt))
    few, many = (PackedLanguage(language, few_rows=few_rows) for few_rows in (True, False))
    result = {}
    print(f"{'written':<36}{'answers unchanged':>22}{'places':>10}")
    for way, packed, at_once in (
        ("bf16, one at a time", None, 1),
        ("four and eight bits, one at a time", few, 1),
        ("bf16 in blocks, eight at once", many, AT_ONCE),
    ):
        batches = [references[start : start + at_once] for start in range(0, len(references), at_once)]
        stays = [row for batch in batches for row in places_that_stay(language, recorder.words, batch, packed)]
        unchanged, share = sum(bool(row.all()) for row in stays), float(torch.cat(stays).float().mean())
        result[way] = {"unchanged": unchanged, "places": round(share, 5)}
        print(f"{way:<36}{f'{unchanged} of {len(stays)}':>22}{share:>10.2%}")
    places = sum(len(one.ids) for one in references)
    print(
        json.dumps(
            {"questions": len(references), "places": places, **result, "commit": git_commit(Path(__file__).parent)}
        )
    )


if __name__ == "__main__":
    main()
