"""``predict``: videos, or a tracks table, to every output of a checkpoint's predictions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.errors import SettingsError, VidlstmError
from vidlstm.files import check_inputs, check_writable, files_named, held, make_folder
from vidlstm.ray_cluster import check_engine
from vidlstm.render.sinks import check_outputs, outputs_of, suffixes, usual, write_outputs
from vidlstm.settings import path_from, store_from
from vidlstm.structures import Failure
from vidlstm.tasks import TASKS
from vidlstm.tasks.predictor import Predictor, Work
from vidlstm.tasks.trajectory.predictor import TABLE
from vidlstm.verbs.inputs import videos_from
from vidlstm.verbs.load import load
from vidlstm.verbs.refusals import refuse_without_effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import Progress, Segment
    from vidlstm.tasks.predictor import Outcome


@dataclass
class PredictReport:
    """What a prediction run did: its task, the predictions, the files written, the videos that failed."""

    task: str
    predictions: list[Any] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def predict(
    checkpoint: Path | str | Predictor,
    inputs: Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    outputs: Sequence[str] | None = None,
    video: bool = True,
    store: Path | str | None = None,
    truth: tuple[Segment, ...] | None = None,
    engine: str = "local",
    address: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> PredictReport:
    """Predicts videos and writes what is said of them, as ``vidlstm predict`` does.

    Args:
        checkpoint: what ``train`` wrote, or a loaded predictor.
        inputs: videos, and folders to search for them; for forecasts, one tracks table (``.parquet``), too;
            files of features for a checkpoint that was trained on such.
        out: takes ``<video>.json`` and the other outputs; and where objects are tracked, ``tracks.parquet``.
        outputs: suffixes, such as json and csv; None takes all that are usual.
        video: draw the MP4 where ``outputs`` does not say; off is faster.
        store: keeps features; None throws them away.
        truth: the true segments, drawn beside the predicted ones.
        engine: local, or ray: a cluster tracks, decodes and runs the backbone, and finds videos and weights
            under the same names; predictions and their outputs are made here.
        address: of the cluster, ``HOST:PORT`` or auto; None starts one on this machine.
        progress: told of the tracking, of the extraction, and of the drawing.
        options: see :func:`load`.

    Returns:
        The report. A video that fails, or whose outputs cannot be written, does not stop the others.

    Raises:
        OutputError: an output would take the place of a file that is read; nothing was done.
        VidlstmError: see its other subclasses.
        ValueError: options for a predictor that is loaded already.
    """
    if isinstance(checkpoint, Predictor) and options:
        raise ValueError(f"a loaded predictor has its settings already; give load() {', '.join(options)}")
    check_engine(engine, address)
    paths, folder = videos_from(inputs), path_from(out, "out")
    kept = None if store is None else store_from(store)
    predictor = checkpoint if isinstance(checkpoint, Predictor) else load(checkpoint, **options)
    check_use(predictor, paths, {"store": store, "truth": truth}, outputs)
    _check_engine(engine, predictor, paths)
    named = [predictor.path, *files_named(predictor.settings)]
    all_usual = usual(suffixes(predictor.kind), video=video)
    files = [
        file
        for one, stem in predictor.stems(paths, folder).items()
        for file in outputs_of(predictor.kind, stem, outputs or all_usual, [str(one)])
    ]
    check_inputs(files, [*predictor.reads(paths), *named])
    check_writable(folder)
    work = Work(folder, kept, truth, progress, engine, address)
    make_folder(work.out)
    report = PredictReport(predictor.card.task, failures=work.failures, files=work.files)
    for outcome in predictor.outcomes(paths, work):
        report.predictions.append(outcome.prediction)
        wanted = outputs if outputs is not None else usual(outcome.outputs, video=video)
        if progress and progress.drawing:
            outcome = replace(outcome, material=replace(outcome.material, progress=progress.drawing))
        _write(predictor.kind, outcome, wanted, named, report)
    return report


def check_use(
    predictor: Predictor, paths: Sequence[Path], given: dict[str, Any], outputs: Sequence[str] | None
) -> None:
    """Refuses what means nothing to a predictor.

    Args:
        predictor: what is to predict.
        paths: its inputs.
        given: single settings of ``predict`` by name; None is not given.
        outputs: suffixes; None takes the usual ones.

    Raises:
        SettingsError: there is some.
    """
    task = TASKS.get(predictor.card.task)
    if task is not None:
        refuse_without_effect(task, given, lambda section, _: section in task.used)
    if outputs is not None:
        if isinstance(outputs, str):
            raise SettingsError(
                f"`outputs` is a list of suffixes, such as ['json', 'csv'], not {outputs!r}",
                setting="outputs",
            )
        check_outputs(predictor.kind, outputs)
    of_features = getattr(predictor.card, "given", False)
    if of_features and "mp4" in (outputs or ()):
        raise SettingsError("`outputs mp4`: features that were made elsewhere have no video to draw on")
    tables = [path for path in paths if path.suffix == TABLE and predictor.kind != "forecast"]
    if tables and not of_features:
        raise SettingsError(
            f"{tables[0]} is a tracks table, which a checkpoint of trajectory reads; this one, of "
            f"{predictor.card.task}, takes videos"
        )


def _check_engine(engine: str, predictor: Predictor, paths: Sequence[Path]) -> None:
    """Refuses a cluster where no videos are worked through."""
    made = getattr(predictor.card, "given", False) or paths[0].suffix == TABLE
    if engine != "local" and made:
        raise SettingsError(
            f"`engine {engine}`: it works through videos, and {paths[0]} is none; leave it out",
            setting="engine",
        )


def _write(
    kind: str, outcome: Outcome, outputs: Sequence[str], inputs: Sequence[Path], report: PredictReport
) -> None:
    try:
        with held(outcome.stem):
            report.files += write_outputs(
                kind, outcome.prediction, outcome.stem, outputs, outcome.material, inputs=inputs
            )
    except Exception as error:  # noqa: BLE001 - an output may come from outside, and another video is next
        report.files += getattr(error, "written", ())
        about = Path(getattr(outcome.prediction, "video", outcome.stem))
        kind = "" if isinstance(error, VidlstmError) else f"{type(error).__name__}: "
        report.failures.append(Failure(about, "unwritable", f"{kind}{error}"))
