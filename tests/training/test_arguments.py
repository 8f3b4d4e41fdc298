"""Every argument of Lightning's Trainer: it trains and leaves a checkpoint, or is refused before the work."""

from __future__ import annotations

import inspect
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.plugins import TorchCheckpointIO

from tests.training.test_action import MODEL, SURE, WIDTH, card_of, eight
from vidlstm.datamodules.actions import ActionData
from vidlstm.errors import SettingsError
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.settings import TRAINER_DEFAULTS
from vidlstm.tasks import open_checkpoint
from vidlstm.training.action import ActionModule
from vidlstm.training.arguments import RULES, check_arguments
from vidlstm.training.outcome import fitting, keep_best
from vidlstm.training.trainer import build_trainer, total_steps

QUIET: dict[str, Any] = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "max_epochs": 1}
SECOND = ("check_val_every_n_epoch", "max_steps", "min_steps", "reload_dataloaders_every_n_epochs")
"""Arguments of which a second epoch shows something."""

# Eight clips in batches of three: three batches an epoch.
TABLE: dict[str, tuple[list[Any], list[Any]]] = {
    # argument: (values that work, values that are refused)
    "accelerator": (["cpu", "auto"], ["gpuu", "tpu", ""]),
    "accumulate_grad_batches": ([2], [0, -1, 1.5, None]),
    "barebones": ([False], [True]),
    "benchmark": ([True], ["yes"]),
    "callbacks": ([None, Callback(), [Callback()]], [3, ["early"]]),
    "check_val_every_n_epoch": ([1, 2, 3], [0, -1, None]),
    "default_root_dir": ([None, "."], []),
    "deterministic": ([True, "warn"], ["always"]),
    "detect_anomaly": ([True], ["yes"]),
    "devices": ([1, "1", "auto"], [0, "two", -2]),
    "enable_autolog_hparams": ([False], ["yes"]),
    "enable_checkpointing": ([True, None], [False]),
    "enable_model_summary": ([True], ["yes"]),
    "enable_progress_bar": ([True], ["yes"]),
    "fast_dev_run": ([False, 0], [True, 1, 3]),
    "gradient_clip_algorithm": (["norm", "value"], ["max"]),
    "gradient_clip_val": ([0.5, 1, None], [-1, float("nan"), float("inf"), "1", True]),
    "inference_mode": ([False], ["yes"]),
    "limit_predict_batches": ([None, 1.0], [2, 0.5]),
    "limit_test_batches": ([None, 1.0], [2, 0.5]),
    "limit_train_batches": ([1, 0.5, 1.0], [0, 0.0, -1, 1.5, "2"]),
    "limit_val_batches": ([1, 0.5, 1.0], [0, 0.0, -1, 1.5]),
    "log_every_n_steps": ([0, 5], [-1, 0.5]),
    "logger": ([True, False, []], ["csv", 3]),
    "max_epochs": ([1], [0, -2, 1.5, -1]),
    "max_steps": ([1, 4], [0, -2, 1.5, None]),
    "max_time": (
        ["00:00:01:00", timedelta(minutes=1), {"minutes": 1}],
        ["1h", "00:00:00:00", {"hour": 1}, 60],
    ),
    "min_epochs": ([1], [-1]),
    "min_steps": ([2], [-1]),
    "model_registry": ([None], ["me/model"]),
    "num_nodes": ([1], [0]),
    "num_sanity_val_steps": ([0, -1, 1], [-2, "all"]),
    "overfit_batches": ([0, 0.0], [1, 0.5]),
    "plugins": ([[], TorchCheckpointIO()], [3, ["none"]]),
    "precision": (
        ["auto", "32-true", 32, "64-true"],
        ["bf16-true", "16-true", "transformer-engine", 8],
    ),
    "profiler": (["simple", None], ["quick"]),
    "reload_dataloaders_every_n_epochs": ([1], [-1]),
    "strategy": (["auto"], ["fsdp", "deepspeed_stage_2", "dpp"]),
    "sync_batchnorm": ([False], [True]),
    "use_distributed_sampler": ([False], [True]),
    "val_check_interval": ([1, 0.5, 2, "00:00:01:00"], [0, 0.0, 1.5, -1, "soon"]),
}


def told(value: Any) -> str:
    """The same in every process: no address of an object."""
    plain = isinstance(value, str | int | float | bool | None)
    return str(value) if plain else type(value[0] if isinstance(value, list) and value else value).__name__


def flat(which: int) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}-{told(value)}")
        for name, values in TABLE.items()
        for value in values[which]
    ]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ActionData:
    return eight(tmp_path_factory.mktemp("clips"))


def fit(out: Path, clips: ActionData, arguments: dict[str, Any]) -> tuple[Trainer, Path]:
    trainer = build_trainer(out, {**QUIET, **arguments}, monitor="val_loss", patience=0)
    steps = total_steps(trainer, clips.steps_per_epoch(1))
    module = ActionModule(SequenceClassifier(WIDTH, 2, **MODEL), 2, SURE, total_steps=steps, card=card_of())
    with fitting(trainer, out):
        trainer.fit(module, datamodule=clips)
        return trainer, keep_best(trainer, out)


def test_the_table_has_every_argument_of_lightning() -> None:
    known = inspect.signature(Trainer).parameters
    assert known.keys() == RULES.keys() == TABLE.keys()
    check_arguments({name: p.default for name, p in known.items()} | TRAINER_DEFAULTS)
    with pytest.raises(SettingsError, match=r"trainer\.max_epoch; did you mean 'max_epochs'"):
        check_arguments({"max_epoch": 1})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "value"), flat(0))
def test_what_is_taken_trains_and_leaves_a_checkpoint(
    name: str, value: Any, clips: ActionData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, best = fit(tmp_path / "run", clips, {"max_epochs": 1 + (name in SECOND), name: value})
    assert best == tmp_path / "run" / "best.ckpt"
    assert open_checkpoint(best)[1].epoch in (0, 1)


@pytest.mark.parametrize(("name", "value"), flat(1))
def test_what_is_not_taken_is_refused_at_once(name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`trainer") as refused:
        build_trainer(tmp_path / "run", {**QUIET, name: value}, monitor="val_loss", patience=0)
    assert "\n" not in str(refused.value)
    assert refused.value.setting.startswith("trainer")
    assert not any(tmp_path.iterdir())


def test_mixed_precision_trains_where_the_processor_can_and_is_refused_where_not(
    clips: ActionData, tmp_path: Path
) -> None:
    try:
        fit(tmp_path, clips, {"precision": "bf16-mixed"})
    except SettingsError as refused:
        assert "`trainer.precision bf16-mixed` is not there on this processor" in str(refused)
        assert not any(tmp_path.iterdir())
    else:
        assert open_checkpoint(tmp_path / "best.ckpt")[1].epoch in (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit_train_batches": 0.1}, "`trainer`: .*limit_train_batches"),
        ({"limit_val_batches": 0.1}, "`trainer`: .*limit_val_batches"),
        ({"val_check_interval": 9}, "`trainer`: .*val_check_interval"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_the_training(
    arguments: dict[str, Any], message: str, clips: ActionData, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        fit(tmp_path, clips, arguments)
    assert not any(tmp_path.glob("*.ckpt"))


@pytest.mark.parametrize("late", [{"check_val_every_n_epoch": 5}, {"max_steps": 2}])
def test_a_training_that_validates_nothing_keeps_its_last_state_and_says_so(
    late: dict[str, Any], clips: ActionData, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="no epoch was validated"):
        _, best = fit(tmp_path, clips, late)
    best_weights, last_weights = (
        open_checkpoint(p)[1].model.state_dict() for p in (best, tmp_path / "last.ckpt")
    )
    assert all(bool((last_weights[name] == value).all()) for name, value in best_weights.items())


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        ({"max_epochs": 4}, 12),
        ({"max_epochs": 4, "accumulate_grad_batches": 2}, 8),
        ({"max_epochs": 4, "limit_train_batches": 2}, 8),
        ({"max_epochs": 4, "limit_train_batches": 0.5}, 4),
        ({"max_epochs": 4, "max_steps": 5}, 5),
        ({"max_epochs": 4, "max_steps": 500}, 12),
        ({"max_epochs": -1, "max_steps": 5}, 5),
    ],
)
def test_schedules_end_where_the_training_does(
    arguments: dict[str, Any], steps: int, clips: ActionData, tmp_path: Path
) -> None:
    trainer, _ = fit(tmp_path, clips, arguments)
    assert total_steps(trainer, clips.steps_per_epoch(1)) == steps == trainer.global_step


def test_a_bar_of_ones_own_stays(tmp_path: Path) -> None:
    told = [lambda report, total: None]
    ours = build_trainer(
        tmp_path, {"callbacks": TQDMProgressBar()}, monitor="val_loss", patience=0, told=told[0]
    )
    assert isinstance(ours.progress_bar_callback, TQDMProgressBar)
