from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks.exactness import Recorder, places_that_stay
from earthgptx.inference.language_engine import Words, Writing
from tests.tiny_model import tiny_model

WORDS = Words(end=0, state_wanted=7, never=(512, 513))


@torch.inference_mode()
def test_a_reference_stays_as_it_is_and_a_changed_word_does_not():
    language = tiny_model().language
    told: list[tuple[int, int]] = []
    recorder = Recorder(language, WORDS)
    ids = torch.randint(2, 500, (3, 6), generator=torch.Generator().manual_seed(0))
    present = torch.arange(6) >= torch.tensor([[0], [2], [3]])
    recorder.write(
        language.embed(ids),
        present,
        Writing(max_new_tokens=5),
        on_token=lambda place, token_id, _: told.append((place, token_id)),
    )
    (references,) = recorder.batches
    assert [len(one.prompt) for one in references] == [6, 4, 3]
    said = {place: [word for other, word in told if other == place] for place in range(3)}
    for place, one in enumerate(references):
        assert said[place] == [word for word in one.ids.tolist() if word not in (WORDS.end, WORDS.state_wanted)]
    assert all(row.all() for row in places_that_stay(language, WORDS, references, None))
    first = references[0]
    changed = replace(first, ids=torch.tensor([(int(first.ids[0]) + 1) % 512, *first.ids[1:]]))
    assert not places_that_stay(language, WORDS, [changed], None)[0][0]
