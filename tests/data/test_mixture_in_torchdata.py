"""A mixture in torchdata's StatefulDataLoader: no item twice or lost over workers, and resumed exactly."""

from __future__ import annotations

from itertools import islice

import pytest

from earthgptx.data.mixture import Mixture
from tests.fixtures.make_corpus import make_corpus

pytestmark = pytest.mark.slow  # imports torch and starts processes


@pytest.mark.parametrize("num_workers", [0, 2])
def test_workers_share_and_resume(tmp_path, num_workers):
    loading = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")
    from torch.utils.data import IterableDataset, get_worker_info

    class TorchMixture(Mixture, IterableDataset):
        pass

    def take_share(_: int) -> None:
        info = get_worker_info()
        info.dataset.take_share(worker=info.id, num_workers=info.num_workers)

    corpus = make_corpus(str(tmp_path), {"vhr10": 60, "ssdd": 30, "hituav": 1})

    def loader(repeats: bool):
        return loading.StatefulDataLoader(
            TorchMixture(corpus, repeats=repeats),
            batch_size=4,
            num_workers=num_workers,
            worker_init_fn=take_share,
            collate_fn=lambda items: [item.sample.id for item in items],
        )

    whole = [name for batch in loader(repeats=False) for name in batch]
    assert len(whole) == len(set(whole)) == 91
    for repeats, taken in ((True, 7), (False, 7), (False, 22)):
        straight = loader(repeats)
        stream = iter(straight)
        list(islice(stream, taken))
        state = straight.state_dict()
        rest = list(islice(stream, 20))
        resumed = loader(repeats)
        resumed.load_state_dict(state)
        assert list(islice(resumed, 20)) == rest
