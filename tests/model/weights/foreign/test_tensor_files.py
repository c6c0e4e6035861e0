"""Every form in which weights are published reads alike, one tensor at a time; what cannot be read is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model, LlamaConfig, LlamaForCausalLM

from earthgptx.errors import BrokenCheckpoint, MissingExtra
from earthgptx.model.weights.foreign import dinov2, llama, tensor_files, tokenizer
from earthgptx.model.weights.foreign.key_map import Part
from earthgptx.model.weights.foreign.tensor_files import TensorFiles, files_of
from tests.model.weights.foreign.small import small_config

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b.bias": torch.ones(4).half(), "c": torch.tensor(2.0)}


def one_safetensors_file(folder: Path) -> None:
    save_file(STATE, str(folder / "model.safetensors"))


def any_one_file(folder: Path) -> None:
    torch.save(STATE, folder / "dinov2_vitl14_pretrain.pth")


def a_training_script_s_checkpoint(folder: Path) -> None:
    torch.save({"epoch": 3, "state_dict": STATE}, folder / "pytorch_model.bin")


def before_torch_1_6(folder: Path) -> None:
    torch.save(STATE, folder / "old.pt", _use_new_zipfile_serialization=False)


def shards(folder: Path, ending: str, save: Callable[[dict[str, Tensor], Path], None]) -> None:
    homes = {name: f"part-{place % 2}{ending}" for place, name in enumerate(STATE)}
    for home in set(homes.values()):
        save({name: value for name, value in STATE.items() if homes[name] == home}, folder / home)
    stem = "model.safetensors" if ending == ".safetensors" else "pytorch_model.bin"
    (folder / f"{stem}.index.json").write_text(json.dumps({"weight_map": homes}))


def sharded_safetensors(folder: Path) -> None:
    shards(folder, ".safetensors", lambda state, path: save_file(state, str(path)))


def sharded_pickles(folder: Path) -> None:
    shards(folder, ".bin", torch.save)


@pytest.mark.parametrize(
    "write",
    [
        one_safetensors_file,
        any_one_file,
        a_training_script_s_checkpoint,
        before_torch_1_6,
        sharded_safetensors,
        sharded_pickles,
    ],
)
@pytest.mark.parametrize("mapped_bytes", [1, 2**20])
def test_what_was_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None], mapped_bytes: int
):
    monkeypatch.setattr(tensor_files, "MAPPED_BYTES", mapped_bytes)
    write(tmp_path)
    files = TensorFiles(files_of(tmp_path, "a part"))
    assert {name: item.shape for name, item in files.stored.items()} == {n: tuple(v.shape) for n, v in STATE.items()}
    for name, value in STATE.items():
        assert torch.equal(files.read(name), value)
        assert files.read(name).dtype == value.dtype


def a_missing_shard(folder: Path) -> None:
    sharded_safetensors(folder)
    (folder / "part-1.safetensors").unlink()


def an_index_without_a_map(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("[]")


def two_files_without_an_index(folder: Path) -> None:
    any_one_file(folder)
    before_torch_1_6(folder)


def an_empty_folder(folder: Path) -> None:
    assert folder.is_dir()


def the_same_name_twice(folder: Path) -> None:
    sharded_safetensors(folder)
    save_file(STATE, str(folder / "part-1.safetensors"))


def a_list_of_tensors(folder: Path) -> None:
    torch.save(list(STATE.values()), folder / "list.pth")


def an_empty_file(folder: Path) -> None:
    (folder / "empty.bin").write_bytes(b"")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (a_missing_shard, ["lists 2 files, of which 1 are missing", "part-1.safetensors"]),
        (an_index_without_a_map, ["weight_map"]),
        (two_files_without_an_index, ["2 files of tensors", "name the file"]),
        (an_empty_folder, ["0 files of tensors"]),
        (the_same_name_twice, ["both hold 2 tensors", "'a.weight'"]),
        (a_list_of_tensors, ["holds list"]),
        (an_empty_file, ["(0 bytes) cannot be read"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, write: Callable[[Path], None], words: list[str]):
    write(tmp_path)
    with pytest.raises(BrokenCheckpoint) as caught:
        TensorFiles(files_of(tmp_path, "a part"))
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "weights.gguf").write_bytes(b"GGUF")
    with pytest.raises(BrokenCheckpoint, match=r"must end in one of \.safetensors"):
        TensorFiles(files_of(tmp_path / "weights.gguf", "a part"))


# ---- transformers' own files, in one piece and in shards ----


def holds_all_of(part: Part, state: dict[str, Tensor]) -> bool:
    found = {name.removeprefix(part.prefix): value for name, value in part.tensors()}
    return found.keys() <= state.keys() and all(torch.equal(value, state[name]) for name, value in found.items())


@pytest.mark.parametrize("most", ["10KB", "5GB"])
def test_a_llama_as_transformers_saves_it(tmp_path: Path, most: str):
    language = small_config().language
    model = LlamaForCausalLM(LlamaConfig(**language))
    model.save_pretrained(tmp_path, max_shard_size=most)
    part = llama.open_llama(tmp_path, language, "paper")
    assert part.layout.name == "transformers"
    assert len(part.shards[0].paths) == 1 or most == "10KB"
    assert holds_all_of(part, model.state_dict())


def test_dinov2_in_the_hub_s_names_is_what_transformers_makes_of_it(tmp_path: Path):
    vit = small_config().vision.vit
    names = {row.ours: row.theirs for row in dinov2.layouts(vit)[1].rows}
    state = {
        names[name]: torch.randn_like(value) for name, value in Dinov2Model(Dinov2Config(**vit)).state_dict().items()
    }
    save_file(state | {"embeddings.mask_token": torch.zeros(1, 32)}, str(tmp_path / "model.safetensors"))
    Dinov2Config(**vit).save_pretrained(tmp_path)
    part = dinov2.open_dinov2(tmp_path, vit)
    assert part.layout.name == "transformers"
    assert holds_all_of(part, Dinov2Model.from_pretrained(tmp_path).state_dict())


# ---- Meta's tokenizer ----


def test_meta_s_tokenizer_gets_our_words(tmp_path: Path):
    sentencepiece = pytest.importorskip("sentencepiece")
    (tmp_path / "corpus.txt").write_text("what is marked in the image\na ship lies near the harbor\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "corpus.txt"),
        model_prefix=str(tmp_path / "tokenizer"),
        model_type="bpe",
        vocab_size=300,
        byte_fallback=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    weights = tmp_path / "llama-2-13b"
    weights.mkdir()
    assert tokenizer.tokenizer_folder(weights) == tmp_path.resolve()
    ours = tokenizer.extended_tokenizer(tmp_path, 300)
    reference = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    text = "what  ship is 42 in é\nthe harbor"
    assert ours.encode(text, add_special_tokens=False) == reference.encode(text)
    assert ours.convert_tokens_to_ids("<image>") == 300


def test_meta_s_tokenizer_without_its_reader_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tokenizer.model").write_bytes(b"")
    monkeypatch.setattr(tokenizer, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install sentencepiece"):
        tokenizer.extended_tokenizer(tmp_path, 300)
