# %% [markdown]
# # Train on your own clips
#
# Labelled clips in, an annotated video out, and on the way a look at what each step leaves. This page is a
# notebook kept as text: run it with `python docs/notebooks/own_clips.py`, open it as it is in VS Code, or
# in Jupyter with `pip install jupytext`. It runs on the clips that `vidlstm demo` draws, where the demo was
# run; point the first cell at yours.

# %% tags=["parameters"]
from pathlib import Path

# Or data = "clips/", with a folder for each class in it.
data = {"format": "csv", "annotations": "vidlstm-demo/data/clips.csv"}
video = Path("vidlstm-demo/data/story.mp4")  # a longer one, not among the clips
backbone = {"name": "efficientnet_lite0"}  # from the [offline] extra
epochs = 60
out = Path("run")
store = Path("features")  # kept: a second run finds the features here

# %% [markdown]
# ## What the network will see
#
# A frozen network turns frames into features, ten a second unless you say otherwise. `extract` does that
# here and now, for one video:

# %%
import vidlstm

sequence = vidlstm.extract(video, backbone=backbone, fps=10)
print(sequence, f"up to {sequence.timestamps_seconds[-1]:.1f} s")

# %% [markdown]
# ## Train
#
# `train` extracts all clips first, once, in several processes, and keeps the features in `store`; an epoch
# then takes about a second. What it returns is also in `run/metrics.json`. Settings by name are those of
# the command line ([all of them](../settings.md)): `--model.hidden_size 64` is `model={"hidden_size": 64}`.

# %%
metrics = vidlstm.train(
    "action",
    data=data,
    backbone=backbone,
    model={"num_layers": 1, "frame_difference": True, "dropout": 0.3},
    max_epochs=epochs,
    trainer={"enable_progress_bar": False},
    store=store,
    out=out,
    seed=0,
    overwrite=True,  # this cell may run twice; without it, a folder that holds a training is refused
)
print(metrics["train_clips"], "clips to learn from,", metrics["validation_clips"], "to choose the epoch")

# %% [markdown]
# ## Is it any good?
#
# `evaluate` takes the data and the split from the checkpoint, scores the clips that were held out, and puts
# two trivial answers beside the score: the commonest class, and a logistic regression on the mean features.
# That regression cannot see the order of frames; where it is as good as the LSTM, order has added nothing.

# %%
report = vidlstm.evaluate(out / "best.ckpt", out=out / "evaluation", store=store)
for name, row in {"LSTM": report, **report["baselines"]}.items():
    print(f"{row['accuracy']:.2f}  {name}")

# %% [markdown]
# On the demo's clips, people it has not seen:
#
# ```
# 1.00  LSTM
# 0.14  majority_class
# 0.80  logistic_regression_on_mean_features
# ```
#
# ## Use it
#
# `load` once, `predict` as often as you like, from any thread: a path, frames in memory, or features that
# are there already.

# %%
model = vidlstm.load(out / "best.ckpt")
prediction = model.predict(sequence)
for s in prediction.segments:
    print(f"{s.start_seconds:5.1f} to {s.end_seconds:5.1f} s  {s.label}  {s.probability:.2f}")

# %% [markdown]
# ```
#   0.0 to   3.3 s  walk  0.83
#   3.3 to   8.5 s  wave  0.83
#   8.5 to  10.2 s  sit_down  0.67
#  10.2 to  12.5 s  stand_up  0.63
#  12.5 to  17.0 s  punch  0.75
#  17.0 to  21.4 s  jumping_jack  0.81
#  21.4 to  25.7 s  pick_up  0.81
# ```
#
# Segments are what is left when overlapping windows are merged. The windows themselves are arrays:

# %%
import matplotlib.pyplot as plt

middle = (prediction.window_start_seconds + prediction.window_end_seconds) / 2
figure, axes = plt.subplots(figsize=(9, 3))
axes.plot(middle, prediction.window_probabilities, label=prediction.labels)
axes.set(xlabel="seconds", ylabel="probability")
axes.legend(ncol=4, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1))
figure.savefig(out / "probabilities.png", bbox_inches="tight")

# %% [markdown]
# ## Many videos, into files
#
# The function `predict` does what the command line does: videos are decoded in other processes, one that
# fails is listed and the rest goes on. It takes the loaded model, or a checkpoint.

# %%
done = vidlstm.predict(model, video, out=out / "predicted", outputs=["json", "csv", "png"])
print(*done.files, *done.failures, sep="\n")

# %% [markdown]
# `outputs=None` writes all of them, the annotated video too: [what they hold](../predictions.md). Next:
# [your own training loop and your own backbone](own_loop.py).
