"""``trajectory``: tables of positions, or of tracked boxes, to a forecaster."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from vidlstm.cards import TrajectoryCard
from vidlstm.settings import TrajectorySettings, plain, settings_from
from vidlstm.tasks.base import Run, Scoring, Task, Trained, check_cell, warn_of_few

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lightning import Trainer

    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.trajectories import TrajectoryData
    from vidlstm.models.forecaster import PathForecaster
    from vidlstm.settings import PredictSettings, TrajectoryDataSettings
    from vidlstm.structures import TrackForecasts
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.training.trajectory import TrajectoryModule

FOLDER = {"train": "train", "validation": "val", "test": "test"}


class TrajectoryTask(Task[TrajectorySettings, TrajectoryCard]):
    """Where tracked objects will be, from where they were."""

    name = "trajectory"
    help = "tracks: where objects will be"
    settings = TrajectorySettings
    card = TrajectoryCard
    kind = "forecast"
    monitor = "val_error"
    sides = ("test", "validation", "train")
    report_files = ("error_by_step.png", "paths.png")
    used = ("tracking", "every", "homography")
    kept = ("observed", "horizon", "normalise")
    resume_keys = ("coordinates", "unit", "seconds_per_step", "neighbours", "model", "data", "seed")
    # Places take more digits than bfloat16 has: of 1,000 pixels it tells every fourth.
    trainer_defaults = {"log_every_n_steps": 50, "precision": "32-true"}  # noqa: RUF012 a ClassVar in the base

    def check(self, settings: TrajectorySettings) -> None:
        """The cell is known."""
        check_cell(settings.model.cell)

    def callbacks(self, settings: TrajectorySettings) -> Sequence[Any]:
        """The moving average of the weights is what is validated and kept."""
        from lightning.pytorch.callbacks import EMAWeightAveraging

        return [EMAWeightAveraging(decay=settings.optimiser.average_decay)]

    def prepare(self, settings: TrajectorySettings, run: Run) -> tuple[TrajectoryData, TrajectoryCard]:
        """Reads the tables of all sides and cuts them into windows."""
        from vidlstm.tasks.trajectory.data import prepare_trajectories

        data = prepare_trajectories(settings.data, settings.model, seed=run.seed)
        assert data.validation_set is not None
        warn_of_few(len(data.validation_set), "windows")
        card = TrajectoryCard(
            coordinates=data.coordinates,
            unit=data.unit,
            seconds_per_step=float(data.seconds_per_step),
            neighbours=data.neighbours,
            model=settings.model,
            data=settings.data,
            seed=run.seed,
        )
        return data, card

    def build(self, card: TrajectoryCard) -> PathForecaster:
        """The forecaster of a card."""
        from vidlstm.models.forecaster import PathForecaster

        network = {name: value for name, value in plain(card.model).items() if name != "neighbours"}
        return PathForecaster(**network, horizon=card.data.horizon, coordinates=card.coordinates)

    def module(
        self, settings: TrajectorySettings, card: TrajectoryCard, data: TrajectoryData, trainer: Trainer
    ) -> TrajectoryModule:
        """The forecaster, with the typical step of the training windows, and its losses."""
        from vidlstm.training.path_augmentation import PathAugmentation
        from vidlstm.training.trainer import total_steps
        from vidlstm.training.trajectory import TrajectoryModule

        forecaster, cut = self.build(card), settings.data
        forecaster.fit(data.typical_step())
        steps = -(-cut.draws_per_epoch // (cut.batch_size * trainer.world_size))
        assert data.validation_set is not None
        return TrajectoryModule(
            forecaster,
            settings.optimiser,
            validation_recordings=int(data.validation_set.recording_N.max()) + 1,
            observed=cut.observed,
            total_steps=total_steps(trainer, steps),
            augmentation=PathAugmentation(cut.flip, cut.reverse, cut.scale, cut.noise, cut.noisy),
            card=card,
        )

    def measure(self, trainer: Trainer, module: Any, data: TrajectoryData, best: Path) -> dict[str, Any]:
        """Calibrates the spread on validation, then scores the test side, or validation where there is none.

        Only the first process measures.
        """
        if not trainer.is_global_zero:
            return {}
        from vidlstm.cards import read_checkpoint
        from vidlstm.tasks.trajectory.scores import calibrate, score_baselines, score_model

        assert data.validation_set is not None
        trained = self.open(read_checkpoint(best))
        model: Any = trained.model
        calibrate(model, data.validation_set, best)
        side, windows = ("validation", data.validation_set)
        if data.test_set is not None:
            side, windows = "test", data.test_set
        return {
            **score_model(model, windows),
            "side": side,
            "unit": data.unit,
            "best_epoch": trained.epoch,
            "baselines": score_baselines(windows),
            "validation": score_model(model, data.validation_set),
            "validation_baselines": score_baselines(data.validation_set),
        }

    def evaluate(self, trained: Trained[TrajectoryCard], scoring: Scoring) -> dict[str, Any]:
        """Scores one side of a dataset beside constant velocity and least squares."""
        from vidlstm.devices import resolve_device
        from vidlstm.inference.forecast_tracks import forecast_table
        from vidlstm.tasks.trajectory.data import read_tables, windows_data
        from vidlstm.tasks.trajectory.scores import check_tables, plot_report, score_baselines, score_model

        card = trained.card
        model: Any = trained.model.to(resolve_device(scoring.run.device))
        settings = like_training(card, scoring.data)
        tables = read_tables(settings, FOLDER[scoring.side])
        check_tables(trained.path, card, tables[0])
        windows = windows_data(settings, neighbours=card.neighbours, test=tables).test_set
        assert windows is not None
        report = {
            **score_model(model, windows),
            "baselines": score_baselines(windows),
            "checkpoint": str(trained.path),
            "side": scoring.side,
            "unit": card.unit,
            "seconds_per_step": card.seconds_per_step,
            "recordings": [table.recording for table in tables],
        }
        found = forecast_table(
            model,
            tables[0],
            observed=settings.observed,
            every=model.horizon,
            neighbours=card.neighbours,
            by_height=settings.normalise == "height",
        )
        plot_report(report, found, scoring.out)
        return report

    def predictor(
        self,
        trained: Trained[TrajectoryCard],
        settings: PredictSettings,
        *,
        device: str | None = None,
        backbone: Backbone | None = None,
    ) -> Predictor:
        """A forecaster of tables and videos; it has no use for a backbone."""
        del backbone
        from vidlstm.tasks.trajectory.predictor import TrajectoryPredictor

        return TrajectoryPredictor(trained, settings, device=device)

    def summary(self, metrics: dict[str, Any]) -> list[Any]:
        """The network's errors and those of the models without learning, a line each."""
        lines = [f"{metrics['side']}, {metrics['windows']} windows, {metrics['unit']}"]
        for name, row in {"network": metrics, **metrics["baselines"]}.items():
            keys = [
                f"{key}{unit}" for unit in ("", "_pixels") for key in ("ade", "fde", "min_ade", "min_fde")
            ]
            numbers = [f"{key.replace('_pixels', ' px')} {row[key]:.3f}" for key in keys if key in row]
            lines.append(f"  {name.replace('_', ' '):<18} {'  '.join(numbers)}")
        return lines

    def told(self, prediction: TrackForecasts) -> Iterable[str]:
        """How many forecasts, and how right they were where that is known."""
        yield (
            f"{len(prediction.forecasts)} forecasts; {len(prediction.short_tracks)} tracks too short to "
            "forecast"
        )
        scores = prediction.scores
        if scores["forecasts"]:
            yield f"{scores['forecasts']} whose future is known, {scores['unit']}"
            for name in ("network", "constant_velocity"):
                numbers = "  ".join(f"{key} {value:.2f}" for key, value in scores[name].items())
                yield f"  {name.replace('_', ' '):<18} {numbers}"


def like_training(card: TrajectoryCard, given: Mapping[str, Any]) -> TrajectoryDataSettings:
    """The tracks to score: what was given, and for the rest what the training took; None is not given."""
    given = {name: value for name, value in given.items() if value is not None}
    return settings_from(
        type(card.data), {**dataclasses.asdict(card.data), "minimum_tracks": 1, **given}, section="data"
    )
