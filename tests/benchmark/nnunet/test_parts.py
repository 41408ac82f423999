"""Laws: nnU-Net sees as many images as the others; what is refused is said before it trains."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strokediff.benchmark.arms import ARMS, arms
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.nnunet.arm import NNUNetArm
from strokediff.benchmark.nnunet.length import MOST_EPOCHS, Length
from strokediff.benchmark.nnunet.model import read_model, read_plans
from strokediff.benchmark.nnunet.training import LOG, NNUNetTraining
from strokediff.benchmark.nnunet.worker import flat
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.suites import SUITES
from strokediff.cli.app import main
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError, MissingExtraError, UsageError

TINY = BUDGETS["tiny"]
SPLIT = {"train": ["p0", "p1"], "val": [], "test": ["p2"]}


def arm(name: str = "nnunetv2") -> NNUNetArm:
    found = ARMS[name]
    assert isinstance(found, NNUNetArm)
    return found


def cohort(folder: Path, split: dict[str, list[str]] | None = None) -> Cohort:
    return Cohort(folder, GridConfig(), split or SPLIT, {}, {})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nnU-Net were there: nothing of it is asked for before it trains."""
    monkeypatch.setattr("strokediff.benchmark.nnunet.arm.require", lambda module, extra: None)


@pytest.fixture
def training(tmp_path: Path, installed: None) -> NNUNetTraining:
    ready = replace(arm(), source=tmp_path / "scans")
    return ready.run(tmp_path / "run", cohort(tmp_path), TINY, 0, "cpu")


@pytest.mark.parametrize("images", [1, 8, 24_000, 24_001, 1_000_000])
@pytest.mark.parametrize(("batch", "patch"), [(3, (128, 128)), (12, (512, 512)), (2, (14, 96, 96))])
def test_no_fewer_images_are_seen_and_at_most_an_epoch_more(
    images: int, batch: int, patch: tuple[int, ...]
) -> None:
    length = Length.of(images, batch, patch)
    of_an_epoch = length.images // length.epochs
    assert images <= length.images < images + max(of_an_epoch, batch * length.slices)
    assert length.epochs <= MOST_EPOCHS
    assert 1 <= length.kept_every <= max(1, length.epochs / 5)


def test_its_own_length_is_that_of_its_trainer() -> None:
    own = Length.of(None, 12, (512, 512))
    assert (own.epochs, own.iterations) == (1000, 250)


def test_settings_ask_for_the_images_of_the_budget(training: NNUNetTraining) -> None:
    own = TINY.training(0)
    assert training.job.settings.images == own.steps * own.batch_size
    long = replace(arm("nnunetv2-long"), source=training.source)
    asked = long.run(training.folder, training.cohort, TINY, 0, "cpu").job.settings
    assert asked.images is None and asked.configuration == "2d"


def test_its_folders_are_those_of_the_run_and_nothing_is_sent(training: NNUNetTraining) -> None:
    environment = training.job.environment()
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        assert environment[name] == str(training.folder / name)
    assert environment["nnUNet_wandb_enabled"] == "0"


@pytest.mark.parametrize(
    ("device", "seen", "only"),
    [("cpu", "", None), ("cuda", "", None), ("cuda:1", "", "1"), ("cuda:1", "4,6", "6")],
)
def test_the_gpu_that_was_asked_for_is_the_only_one_it_sees(
    training: NNUNetTraining,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    seen: str,
    only: str | None,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    job = training.job.model_copy(update={"device": device})
    assert job.environment().get("CUDA_VISIBLE_DEVICES") == only


def test_a_split_without_validation_is_the_fold_of_all(tmp_path: Path, installed: None) -> None:
    for val, fold in ((["p3"], 0), ([], "all")):
        own = cohort(tmp_path, {**SPLIT, "val": val})
        ready = replace(arm(), source=tmp_path)
        assert ready.run(tmp_path, own, TINY, 0, "cpu").job.fold == fold


def test_a_folder_of_another_training_is_refused(training: NNUNetTraining, tmp_path: Path) -> None:
    assert not training.finished()
    training.folder.mkdir()
    (training.folder / "training.json").write_text(training.job.settings.model_dump_json())
    assert not training.finished()
    other = replace(arm(), source=training.source)
    split = {**SPLIT, "train": ["p0"]}
    for changed in (
        other.run(training.folder, cohort(tmp_path, split), TINY, 0, "cpu"),
        other.run(training.folder, cohort(tmp_path), TINY, 1, "cpu"),
    ):
        with pytest.raises(UsageError, match=r"training\.json: was trained on other patients or"):
            changed.finished()


def test_what_ends_badly_is_told_with_its_last_words(training: NNUNetTraining) -> None:
    """A process that cannot find its data set, or nnU-Net, says so in the log."""
    training.job.raw.mkdir(parents=True)
    with pytest.raises(UsageError, match=rf"{LOG}: nnU-Net stopped with exit code 1, and said"):
        list(training.train())
    assert "Error" in (training.folder / LOG).read_text()


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("nnunetv2"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    ready = replace(arm(), source=tmp_path)
    with pytest.raises(MissingExtraError, match=r"pip install 'strokediff\[nnunet\]'"):
        ready.run(tmp_path / "run", cohort(tmp_path), TINY, 0, "cpu")
    assert not (tmp_path / "run").exists()


def test_it_is_compared_on_own_grids_alone_and_by_name_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = SUITES["phantom-infarct"]
    assert not any(isinstance(a, NNUNetArm) for a in arms([], suite, TINY))
    assert arms(["nnunetv2"], suite, TINY) == [arm()]
    on_network = Benchmark(suite, TINY, tmp_path)
    assert not on_network.compares(arm()) and replace(on_network, own_grids=True).compares(arm())
    out = tmp_path / "out"
    given = ["--suite", "phantom-infarct", "--budget", "tiny", "-o", str(out)]
    monkeypatch.setattr("sys.argv", ["strokediff", "benchmark", *given, "--methods", "nnunetv2"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == UsageError("").exit_code
    assert "add --own-grids" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("labels", "values"), [(1, [1]), ((1, 3), [1, 3]), ([1, (2, 3)], [1, 2, 3])]
)
def test_a_post_processing_is_the_values_that_it_looks_at(labels: Any, values: list[int]) -> None:
    assert flat(labels) == values


@pytest.mark.parametrize("content", ["", "[]", '{"version": 3}', "[" * 9999])
def test_a_damaged_model_is_named_with_its_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "nnunet.json").write_text(content)
    with pytest.raises(InputError, match=r"nnunet\.json.*the next run makes it again"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("network", "part"),
    [
        ("os.system", "torch.nn.Conv2d"),
        ("dynamic_network_architectures.architectures.unet.PlainConvUNet", "subprocess.Popen"),
    ],
)
def test_plans_that_name_other_code_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str, part: str
) -> None:
    """What plans.json names would be imported and called."""
    monkeypatch.setattr("strokediff.benchmark.nnunet.model.require", lambda module, extra: None)
    own = {
        "network_class_name": network,
        "arch_kwargs": {"conv_op": part},
        "_kw_requires_import": ["conv_op"],
    }
    plans = {"configurations": {"2d": {"architecture": own}}}
    (tmp_path / "plans.json").write_text(json.dumps(plans))
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(InputError, match=r"plans\.json: expected the network of nnU-Net's own"):
        read_plans(tmp_path, "2d")
