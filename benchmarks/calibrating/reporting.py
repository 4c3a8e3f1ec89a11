"""``docs/calibration.md``, from the evidence."""

from __future__ import annotations

from calibrating.tables import (
    Evidence,
    cells_table,
    flags_table,
    gains_table,
    machine_table,
    paths_table,
    power_table,
    rules_table,
    simulation_table,
    slower_table,
    targets_table,
)
from calibrating.texts import COMMANDS, FLAGS_TEXT, HEAD, METHOD, NOT_SHOWN, PEERS_TEXT, SIMULATION_TEXT
from calibrating.workloads import WORKLOADS


def document(evidence: Evidence) -> str:
    """``docs/calibration.md``."""
    missing = [
        each.title for each in WORKLOADS.values() if not any(r.cell.workload == each.name for r in evidence.results)
    ]
    sections = (
        ("", HEAD),
        ("The targets", targets_table(evidence)),
        ("Other rules, in the same run", f"{rules_table(evidence)}\n\n{gains_table(evidence)}\n\n{PEERS_TEXT}"),
        ("How it is measured", METHOD),
        ("A/A by workload", f"{cells_table(evidence)}\n\n{paths_table(evidence)}"),
        ("Honest code that is flagged", f"{FLAGS_TEXT}\n\n{flags_table(evidence)}"),
        (
            "Injected slowdowns: the stated interval lies below 1 when the protocol's budget is used up",
            power_table(evidence, short=False),
        ),
        ("The same in 5 s", power_table(evidence, short=True)),
        ("Injected slowdowns that are called slower", slower_table(evidence)),
        ("Simulation", f"{SIMULATION_TEXT}\n\n{simulation_table(evidence)}"),
        ("The machine", machine_table(evidence)),
        ("How to repeat it", COMMANDS),
        ("What is not shown", NOT_SHOWN + "".join(f"\n- {title}: not recorded." for title in missing)),
    )
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections) + "\n"
