"""Networks over feature sequences: nn.Module only, no Lightning and no files."""
