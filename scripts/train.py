"""Trains an action classifier from Python: the same as ``vidlstm train``."""

import sys

from vidlstm.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
