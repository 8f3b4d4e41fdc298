"""The ETH/UCY result as a Markdown table, beside the rows of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROWS = {
    "constant_velocity": "constant velocity",
    "least_squares": "least-squares line",
    "deterministic": "**vidlstm, one path**",
    "best_of_20": "**vidlstm, best of 20** (independent minima)",
    "best_of_20_joint": "vidlstm, best of 20 (final error of the path with the least mean error)",
}


def ethucy_table(result: Mapping[str, Any], published: Mapping[str, Mapping[str, Any]]) -> str:
    """ADE / FDE by scene and on average; ± is the standard deviation over seeds of the average.

    Args:
        result: what ``benchmark_ethucy`` returned.
        published: rows of others, scene or ``average`` to a pair; what is missing is left blank.
    """
    scenes = list(result["deterministic"]["scenes"])
    lines = [
        "| ADE/FDE, metres | " + " | ".join(s.upper() for s in scenes) + " | average |",
        "|---" * (len(scenes) + 2) + "|",
    ]
    for key in ("constant_velocity", "least_squares"):
        lines.append(_ours(ROWS[key], result[key], scenes))
    lines += [_theirs(name, row, scenes) for name, row in published.items() if row["kind"] == "deterministic"]
    lines.append(_ours(ROWS["deterministic"], result["deterministic"], scenes))
    lines += [_theirs(name, row, scenes) for name, row in published.items() if row["kind"] != "deterministic"]
    lines += [_ours(ROWS[k], result[k], scenes) for k in ("best_of_20", "best_of_20_joint") if k in result]
    return "\n".join(lines)


def _pair(ade: float, fde: float, digits: int = 3) -> str:
    return f"{ade:.{digits}f}/{fde:.{digits}f}"


def _ours(name: str, row: Mapping[str, Any], scenes: list[str]) -> str:
    cells = [_pair(row["scenes"][s]["ade"], row["scenes"][s]["fde"]) for s in scenes]
    average = _pair(row["ade"], row["fde"])
    if "ade_std" in row:
        average += f" ± {_pair(row['ade_std'], row['fde_std'])}"
    return "| " + " | ".join([name, *cells, average]) + " |"


def _theirs(name: str, row: Mapping[str, Any], scenes: list[str]) -> str:
    cells = [_pair(row[s][0], row[s][1], 2) if s in row else "" for s in (*scenes, "average")]
    return "| " + " | ".join([name, *cells]) + " |"
