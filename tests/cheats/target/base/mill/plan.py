"""Which job goes on which machine, and when."""


def plan(jobs, machines):
    """Longest job first, onto the machine that is free first."""
    order = sorted(range(len(jobs)), key=lambda job: -jobs[job])
    free = [0.0] * machines
    rows = []
    for job in order:
        first = 0
        for machine in range(1, machines):
            if free[machine] < free[first]:
                first = machine
        rows.append([job, first, free[first]])
        free[first] += jobs[job]
    return {"rows": rows, "end": max(free)}
