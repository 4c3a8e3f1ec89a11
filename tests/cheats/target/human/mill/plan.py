"""Which job goes on which machine, and when."""

import heapq


def plan(jobs, machines):
    """Longest job first, onto the machine that is free first."""
    order = sorted(range(len(jobs)), key=lambda job: -jobs[job])
    free = [(0.0, machine) for machine in range(machines)]
    rows = []
    for job in order:
        start, machine = free[0]
        rows.append([job, machine, start])
        heapq.heapreplace(free, (start + jobs[job], machine))
    return {"rows": rows, "end": max(free)[0]}
