# %% [markdown]
# # Your own training loop, your own backbone
#
# vidlstm's parts work without its `train`. Here a network of your own makes the features, a Lightning
# module of your own trains the classifier, and what comes out is a checkpoint that `vidlstm predict` and
# `vidlstm.load` take like any other. It runs on the clips that `vidlstm demo` draws, as [the first
# notebook](own_clips.py) does, and needs no weights.

# %% tags=["parameters"]
from pathlib import Path

table = Path("vidlstm-demo/data/clips.csv")  # path, label, split
video = Path("vidlstm-demo/data/story.mp4")
epochs = 40
checkpoint = Path("mine.ckpt")

# %% [markdown]
# ## A backbone
#
# Any `nn.Module` that takes images `(B, 3, H, W)` and gives features `(B, F)`. `Backbone.of` freezes a copy
# of it and says how frames are brought to it. This one is as small as can be: how bright each of 12 x 12
# fields is, and because of `view="motion"` not of the picture, but of its change since the frame before.

# %%
import polars
import torch
from lightning import LightningModule, Trainer, seed_everything
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

import vidlstm

fields = nn.Sequential(nn.AdaptiveAvgPool2d(12), nn.Flatten())
backbone = vidlstm.Backbone.of(
    fields,
    size=96,
    mean=(0.5, 0.5, 0.5),
    std=(0.1, 0.1, 0.1),
    view="motion",
    name="fields",
)
print(backbone.name, backbone.feature_dim, "features")

# %% [markdown]
# ## Features
#
# One call a clip. With many clips and a slow network, `extract_to_store` does it in several processes and
# keeps them.

# %%
rows = polars.read_csv(table)
labels = sorted(set(rows["label"]))
clips = {"train": [], "validation": [], "test": []}
for path, label, split in rows.select("path", "label", "split").iter_rows():
    sequence = vidlstm.extract(table.parent / path, backbone=backbone, fps=10)
    clips[split].append((torch.from_numpy(sequence.features).float(), labels.index(label)))
training, testing = clips["train"], clips["test"]
print(len(training), "clips to learn from, the first", training[0][0].shape)

# %% [markdown]
# ## A loop
#
# Clips have different lengths. `SequenceClassifier` takes the lengths beside the padded batch, and what
# lies in the padding changes nothing. `fit_norm` gives it the mean and the spread of the training features,
# once.


# %%
def batch_of(clips):
    sequences, targets = zip(*clips, strict=True)
    lengths_B = torch.tensor([len(sequence) for sequence in sequences])
    return pad_sequence(sequences, batch_first=True), lengths_B, torch.tensor(targets)


class Mine(LightningModule):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def training_step(self, batch, index):
        x_BTF, lengths_B, targets_B = batch
        loss = nn.functional.cross_entropy(self.network(x_BTF, lengths_B), targets_B)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-2)


seed_everything(0)
network = vidlstm.SequenceClassifier(
    backbone.feature_dim, len(labels), hidden_size=64, num_layers=1, projection=64
)
steps = torch.cat([sequence for sequence, _ in training])
network.fit_norm(steps.mean(0), steps.std(0))
loader = DataLoader(training, batch_size=16, shuffle=True, collate_fn=batch_of)
trainer = Trainer(max_epochs=epochs, logger=False, enable_checkpointing=False)
trainer.fit(Mine(network), loader)

# %%
x_BTF, lengths_B, targets_B = batch_of(testing)
with torch.inference_mode():
    guesses_B = network.cpu().eval()(x_BTF, lengths_B).argmax(1)
accuracy = (guesses_B == targets_B).float().mean().item()
print(f"accuracy {accuracy:.2f} on {len(testing)} clips of people it has not seen")

# %% [markdown]
# ```
# accuracy 0.96 on 49 clips of people it has not seen
# ```
#
# On figures drawn before quiet walls that is enough; real videos want a network that knows more.
#
# ## A checkpoint
#
# `save_card` writes the weights and a card that says what made the features, how long a window is, and what
# the outputs are called. Loading asks for the same backbone; another one, or other weights, is refused.

# %%
lengths = torch.tensor([len(sequence) for sequence, _ in training])
vidlstm.save_card(
    checkpoint,
    network,
    labels=labels,
    backbone=backbone,
    fps=10,
    window_seconds=lengths.median().item() / 10,
    overwrite=True,
)
model = vidlstm.load(checkpoint, backbone=backbone)
for s in model.predict(video).segments:
    print(f"{s.start_seconds:5.1f} to {s.end_seconds:5.1f} s  {s.label}")

# %% [markdown]
# To use the backbone by its name, from the command line too, register it:
# [extending](../extending.md#add-a-backbone).
