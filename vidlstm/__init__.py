"""vidlstm: frozen CNN or YOLO features, and a recurrent network over them.

Importing this loads nothing heavy. The rooms, in the order data flows through them, are
``video``, ``backbones``, ``features``, ``datasets``, ``datamodules``, ``models``, ``tasks``,
``inference``, ``render`` and ``workflows`` (the verbs of the command line as plain functions).
"""

__version__ = "0.1.0"
