"""``vidlstm weights``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import Parser, new_parser, parse
from vidlstm.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence


def weights_parser() -> Parser:
    """Every setting of ``weights``."""
    parser = new_parser("weights", "Which weights of backbones are on this machine, and what each is for.")
    parser.add_argument("folders", nargs="*", type=Path, help="folders to look in, beside the usual ones")
    return parser


def run(argv: Sequence[str]) -> int:
    """Lists the files that were found, and where they were looked for."""
    settings = parse(weights_parser(), argv)

    from vidlstm.backbones.on_this_machine import places, weights_in

    looked = [*settings.folders, *places()]
    for folder in looked:
        say(f"looked in {folder}{'' if folder.is_dir() else ', which is not there'}")
    for file in weights_in(looked):
        say(f"{file.path}\n  SHA-256 {file.sha256 or '-'}\n  for {file.backbone}")
    say("Where to get others: docs/backbones.md")
    return 0
