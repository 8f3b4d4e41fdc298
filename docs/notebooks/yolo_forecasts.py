# %% [markdown]
# # From YOLO tracks to forecasts
#
# A YOLO network finds people, a tracker follows them, an LSTM learns where they go, and a new video gets a
# forecast for everyone in it, with constant velocity beside it. You need a YOLO weights file and videos;
# nothing is downloaded. [YOLO + LSTM in ten minutes](../yolo_lstm.md) does the same from the command line
# and explains every file.

# %% tags=["parameters"]
from pathlib import Path

videos = Path("videos")  # a folder, or one file
new_video = Path("new.mp4")
find = {"weights": "yolo26n.pt", "classes": ["person"]}  # or {"boxes": ["det.txt"]}
find_in_new = find
seen, ahead, step_seconds = 8, 12, 0.4  # sees 3.2 s, forecasts 4.8 s
epochs, draws = 12, 8192  # windows drawn in an epoch
out = Path("forecasts")

# %% [markdown]
# ## Track
#
# One table for all videos, a row for each box. Videos that are in it already are not tracked again.

# %%
import polars

import vidlstm

tracks = out / "tracks.parquet"
tracking = vidlstm.track(videos, out=tracks, settings=find)
table = polars.read_parquet(tracks)
boxes = table.group_by("video", "track_id").len("boxes")
print(boxes.sort("boxes", descending=True).head())
print(*tracking.failures, sep="\n")

# %% [markdown]
# ## Train
#
# Each video is cut by time: the first 40 % trains, the next 20 % validates, the last 40 % is the test.
# Lengths are counted in box heights, so that near and far people are alike.

# %%
metrics = vidlstm.train(
    "trajectory",
    data={
        "format": "tracks",
        "root": tracks,
        "observed": seen,
        "horizon": ahead,
        "step_seconds": step_seconds,
        "normalise": "height",
        "draws_per_epoch": draws,
    },
    optimiser={"average_decay": 0.99},
    max_epochs=epochs,
    trainer={"enable_progress_bar": False},
    out=out / "run",
    overwrite=True,  # this cell may run twice; without it, a folder that holds a training is refused
    seed=0,
)
for name, row in {"LSTM": metrics, **metrics["baselines"]}.items():
    print(f"{row['ade']:.3f} box heights off, {row['fde']:.3f} at the end  {name}")

# %% [markdown]
# People mostly go straight on, so constant velocity is hard to beat. Where the LSTM does not beat it, there
# were too few tracks to learn from, or there was nothing to learn.
#
# ## Forecast, and draw
#
# The checkpoint knows its steps; the network that finds people is given again. Everyone gets, at every
# step, one path and K possible futures with probabilities. In the video the past is white, the path red,
# possible futures are blue, and constant velocity is yellow.

# %%
done = vidlstm.predict(
    out / "run" / "best.ckpt",
    new_video,
    out=out / "drawn",
    tracking=find_in_new,
    outputs=["csv", "mp4"],
)
(found,) = done.predictions
print(found)
for forecast in found.forecasts[:3]:
    x, y = forecast.path_PC[-1, :2]
    ahead_seconds = len(forecast.path_PC) * forecast.seconds_per_step
    print(f"track {forecast.track_id}: near ({x:.0f}, {y:.0f}) in {ahead_seconds:.1f} s")
print(*done.files, *done.failures, sep="\n")

# %% [markdown]
# For one video after another, load once: `model = vidlstm.load(out / "run" / "best.ckpt",
# tracking=find_in_new)`, then `model.predict(path)` gives the same forecasts, and `model.predict(frames,
# fps=25)` takes frames in memory. What each person *does*, from the same table: [section
# 4](../yolo_lstm.md#4-what-each-person-does).
