"""A floor: machines with the jobs that wait for them."""

from mill.plan import plan


class Floor:
    """So many machines, these jobs."""

    def __init__(self, machines, jobs):
        self.machines = machines
        self.jobs = jobs

    def run(self):
        """The plan."""
        return plan(self.jobs, self.machines)
