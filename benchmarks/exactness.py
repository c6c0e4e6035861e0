"""How often nano's answers change by the form in which its language model's weights are read, and by who is beside.

Questions about val images are answered by `transformers` in bf16, greedily and eight at once; these answers are the
reference. Each other way of writing reads the same prompts and the reference's words, one after the other, and says at
each place which word it would have written. An answer is unchanged if that is the reference's at all of its places. A
table comes first, then a JSON line.

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
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

import earthgptx as egx
from earthgptx.evaluation import benchmarks
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.questions import Conditions
from earthgptx.inference.language_engine import IsStopped, OnToken, Words, Writing, Written
from earthgptx.inference.packed_weights import PackedLanguage, can_be_packed
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


class Recorder:  # its `write` has the protocol's own signature, as every engine
    """A `LanguageEngine` that writes greedily in bf16 and keeps what it was asked and said.

    Attributes:
        batches: of references, as they were asked.
    """

    def __init__(self, language: Language, words: Words) -> None:
        self.language = language
        self.words = words
        self.batches: list[list[Reference]] = []

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
        cache, said, there = DynamicCache(), [[] for _ in embeddings], present
        hidden = self.language(embeddings, present, cache)[:, -1]
        while True:
            ids = likeliest(self.language.logits(hidden), self.words)
            for row, token_id in zip(said, ids.tolist(), strict=True):
                if self.words.end not in row:
                    row.append(token_id)
            if all(self.words.end in row for row in said) or len(max(said, key=len)) == writing.max_new_tokens:
                break
            there = torch.cat([there, torch.ones_like(there[:, :1])], dim=1)
            hidden = self.language(self.language.embed(ids[:, None]), there, cache)[:, -1]
        rows = zip(embeddings, present, said, strict=True)
        self.batches.append([Reference(prompt[is_there], torch.tensor(row)) for prompt, is_there, row in rows])
        for place, row in enumerate(said):
            for token_id in row:
                if token_id not in (self.words.end, self.words.state_wanted):
                    on_token(place, token_id, 1.0)
        return [Written(()) for _ in said]


def likeliest(logits: Tensor, words: Words) -> Tensor:
    """(B, vocabulary) -> (B,) the word that each row would write next."""
    logits[:, list(words.never)] = -torch.inf
    return logits.argmax(dim=-1)


@torch.inference_mode()
def places_that_stay(
    language: Language, words: Words, references: Sequence[Reference], packed: PackedLanguage | None
) -> list[Tensor]:
    """(N,) booleans of each reference, read beside the others: whether its word is still the likeliest."""
    embeddings = pad_sequence([one.prompt for one in references], batch_first=True, padding_side="left")
    present = torch.arange(embeddings.shape[1]) >= torch.tensor(
        [[embeddings.shape[1] - len(r.prompt)] for r in references]
    )
    room = max(len(one.ids) for one in references)
    steps = TokenSteps(
        language,
        embeddings,
        present,
        room=room,
        products=None if packed is None else packed.products,
        logits=None if packed is None else packed.logits,
    )
    ids = pad_sequence([one.ids for one in references], batch_first=True)
    would = [likeliest(steps.logits(), words)]
    for place in range(room - 1):
        steps.read(ids[:, place])
        would.append(likeliest(steps.logits(), words))
    stays = torch.stack(would, dim=1) == ids
    return [row[: len(one.ids)] for row, one in zip(stays, references, strict=True)]


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
    together = recorder.batches
    alone = [[one] for batch in together for one in batch]
    ways: dict[str, tuple[PackedLanguage | None, list[list[Reference]]]] = {
        "bf16, eight at once": (None, together),
        "bf16, one at a time": (None, alone),
    }
    for few_rows, name, batches in (
        (True, "four and eight bits, one at a time", alone),
        (False, "bf16 in blocks, eight at once", together),
    ):
        if can_be_packed(language, few_rows=few_rows):
            ways[name] = PackedLanguage(language, few_rows=few_rows), batches
    shares: dict[str, dict[str, float]] = {}
    print(f"{'written':<36}{'answers unchanged':>20}{'places':>10}")
    for name, (packed, batches) in ways.items():
        stays = [row for batch in batches for row in places_that_stay(language, recorder.words, batch, packed)]
        unchanged, share = sum(bool(row.all()) for row in stays), float(torch.cat(stays).float().mean())
        shares[name] = {"answers": round(unchanged / len(stays), 4), "places": round(share, 5)}
        print(f"{name:<36}{f'{unchanged} of {len(stays)}':>20}{share:>10.2%}")
    num_words = sum(len(one.ids) for (one,) in alone)
    print(f"{len(alone)} answers of {num_words} words, their end words among them.")
    about = {"answers": len(alone), "words": num_words, "commit": git_commit(Path(__file__).parent)}
    print(json.dumps({"unchanged": shares, **about}))


if __name__ == "__main__":
    main()
