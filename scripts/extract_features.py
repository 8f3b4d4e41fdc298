"""Extracts features of videos: the same as ``vidlstm extract``."""

import sys

from vidlstm.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["extract", *sys.argv[1:]]))
