"""``predict``: videos, or a tracks table, to every output of a checkpoint's predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.errors import OutputError, VideoError
from vidlstm.files import make_folder
from vidlstm.render.names import check_inputs
from vidlstm.render.sinks import check_outputs, outputs_of, suffixes, usual, write_outputs
from vidlstm.structures import Failure
from vidlstm.tasks.predictor import Predictor, Work
from vidlstm.verbs.load import load

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
    progress: Progress | None = None,
    **options: Any,
) -> PredictReport:
    """Predicts videos and writes what is said of them, as ``vidlstm predict`` does.

    Args:
        checkpoint: what ``train`` wrote, or a loaded predictor.
        inputs: videos, and folders to search for them; for forecasts, one tracks table (``.parquet``), too.
        out: takes ``<video>.json`` and the other outputs; and where objects are tracked, ``tracks.parquet``.
        outputs: suffixes, such as json and csv; None takes all that are usual.
        video: draw the MP4 where ``outputs`` does not say; off is faster.
        store: keeps features; None throws them away.
        truth: the true segments, drawn beside the predicted ones.
        progress: told of the tracking, and of the extraction.
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
    predictor = checkpoint if isinstance(checkpoint, Predictor) else load(checkpoint, **options)
    if outputs is not None:
        check_outputs(predictor.kind, outputs)
    paths = [Path(p) for p in ([inputs] if isinstance(inputs, str | Path) else inputs)]
    read, all_usual = predictor.reads(paths), usual(suffixes(predictor.kind), video=video)
    for one, stem in predictor.stems(paths, Path(out)).items():
        check_inputs(outputs_of(predictor.kind, stem, outputs or all_usual, [str(one)]), read)
    work = Work(Path(out), None if store is None else Path(store), truth, progress)
    make_folder(work.out)
    report = PredictReport(predictor.card.task, failures=work.failures, files=work.files)
    for outcome in predictor.outcomes(paths, work):
        report.predictions.append(outcome.prediction)
        wanted = outputs if outputs is not None else usual(outcome.outputs, video=video)
        _write(predictor.kind, outcome, wanted, read, report)
    return report


def _write(
    kind: str, outcome: Outcome, outputs: Sequence[str], inputs: Sequence[Path], report: PredictReport
) -> None:
    try:
        report.files += write_outputs(
            kind, outcome.prediction, outcome.stem, outputs, outcome.material, inputs=inputs
        )
    except (OutputError, VideoError) as error:
        report.files += error.written
        about = Path(getattr(outcome.prediction, "video", outcome.stem))
        report.failures.append(Failure(about, "unwritable", str(error)))
