"""Annotates video files with a trained checkpoint: the same as ``vidlstm predict``."""

import sys

from vidlstm.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
