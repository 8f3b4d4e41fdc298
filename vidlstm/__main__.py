"""``python -m vidlstm``, the same as the ``vidlstm`` command."""

import sys

from vidlstm.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
