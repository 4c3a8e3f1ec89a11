"""A shop floor: machines, and the jobs that it was given."""

from mill.plan import plan


class Shop:
    """So many machines."""

    def __init__(self, machines):
        self.machines = machines

    def run(self, jobs):
        """The plan for these jobs."""
        return plan(jobs, self.machines)
