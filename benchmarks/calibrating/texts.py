"""The words of ``docs/calibration.md``; every number in it is put there by the command."""

HEAD = """# How far the verdicts can be trusted

Written by `python benchmarks/calibration.py --write`. Identical code is measured against itself and against
slowdowns of known size, quiet and with a noisy neighbour on every core; beside it, other people's rules
judge what was recorded in the same run. [measurement.md](measurement.md) explains the protocol."""

METHOD = """- **Recording.** Five workloads, each a call that does its unit of work 200 times. A slowdown is a patch
  that makes it 201, 202, 203, 204, 206 or 210: its size is known exactly. Every side is a real worktree
  with real worker processes, driven by the protocol's own code. A start holds eight sides, two with the
  same code for each of four amounts of work.
- **A/A.** Two sides with the same code, also with the same slowdown, are an A/A pair; a start gives four
  that share no process. Environment padding and hash seeds are random; half of the pairs lie below paths of
  unequal length, which the protocol would not do.
- **Trials.** A trial takes one recorded start after the other, looks where the protocol looks, and stops
  where it stops: when it has decided, or when its budget is spent, at what a start with two sides costs
  (measured beside it). The next trial begins with the next unused start; the last one borrows from the
  beginning what it lacks. With eight sides in a start the turns of a pair lie farther apart than with two,
  which favours nobody but noise.
- **Budgets** are the protocol's own: 20 s, and 60 s where start-up takes over a second (torch).
- **False verdict**: an A/A trial that claims a change in either of its two answers. **Found**: the stated
  95 % interval lies below 1. **Called slower**: the claim, for which the protocol asks more than for the
  interval.
- **Smallest slowdown found in 90 % of trials**: of trials that use up their budget. Each is a run of as many
  starts as the budget pays for and may begin at any start, so that trials overlap; all of them count for no
  more than have no start in common. It lies where the monotone power curve crosses 90 %, straight between the
  injected effects, never below the smallest of them; its interval comes from curves drawn from the posterior
  of each share.
- **Intervals** of shares are Clopper and Pearson's; of means, Student's. For the median over workloads, the
  medians of the workloads' ends.
- **Harness share**: from the first timed turn's question to the last one's answer in a start with two
  sides, the part that was spent neither in `experiment()` nor in `setup()`: pipes, JSON, bookkeeping on
  either side.
- **The noisy neighbour**: one process per core, bursts of arithmetic or of memory copies (0.3 s in the
  mean) with pauses (0.15 s), by chance from a seed."""

PEERS_TEXT = """For A/A every claim counts; for a slowdown, the claim that it is slower. The first three rules judge
processes that ran one after the other (one a side, at least a second and 50 calls after 3 warm-ups, equal
environments, paths of equal length: kinder conditions than ours), all three the same processes: the
predecessor takes the first 50 calls, SWE-Perf's rule the first 20, pytest-benchmark the mean of all.
pytest-benchmark's rule only ever fails what is slower, so its A/A share counts one direction. pyperf's
values come from the starts of our own recording, twenty for one side and the next twenty for the other,
three values each; its own values are longer (100 ms). All of them read the wall clock. The second number of
a ratio is their lower bound over our upper bound."""

FLAGS_TEXT = """What is said of work that moved out of the calls, of CPU time beside them, of a gain that first calls do
not show, of turns and starts that stand out, and of clocks that disagree
([measurement.md](measurement.md#is-the-time-honest)). Nothing moved here: every
flag is a false one. No side of a start is used twice in a line; starts recorded without these figures are left out."""

SIMULATION_TEXT = """The protocol with its looks and its stopping, on noise made turn by turn
(`benchmarks/calibrating/noises.py`), judged by a vectorised twin of the judge that a test holds equal to
it. There is no budget here: a trial that does not decide goes on to the last look. The last noise breaks
the assumption that starts are independent, to show what that costs, and is no part of the target."""

COMMANDS = """```
python benchmarks/calibration.py --minutes 90 --seed 1          # record, simulate, print
python benchmarks/calibration.py --report --write               # only compute; write this file
```

The recording is resumable: it lies in `.perfagents/calibration/` (`--data`), every call goes on where the
last one stopped, and the cell with the least recorded time is next. `--workload`, `--condition` and
`--seed` choose, and `--simulations` says how many trials each noise and effect gets."""

NOT_SHOWN = """- One machine, and what its other tenants did in these minutes.
- CPU-bound code on one thread; no GPU, no I/O, no several threads.
- Trials are replayed from recorded starts: the live protocol waits for nothing else, but its starts follow
  each other without the other six sides between them.
- What the checks of results cost in a start: they are left out here.
- Slowdowns only; a speedup is the same comparison with the sides swapped."""
