"""Training steps and metrics as LightningModules, checkpoints, and the trivial baselines."""
