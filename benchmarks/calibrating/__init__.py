"""Parts of ``benchmarks/calibration.py``: record on this machine, replay by every rule, simulate, report."""
