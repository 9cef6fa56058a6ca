"""Runs, several at once in processes of their own, with a progress that goes on.

A worker makes its world anew from the trace: that takes seconds, a run takes a minute, and
nothing but numbers has to be sent. Workers are started fresh (`spawn`), because the progress
bar has a thread.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from binder_federation.federation.simulation.bound import bound_waits
from binder_federation.federation.simulation.disturbance import Disturbance, compare
from binder_federation.federation.simulation.plan import Plan, slots_of_each
from binder_federation.federation.simulation.run import PolicyName, run_policy
from binder_federation.federation.simulation.settings import SimulationError
from binder_federation.federation.simulation.summary import (
    Hours,
    Summary,
    summarise,
    summarise_hours,
)
from binder_federation.federation.simulation.trace import Trace
from binder_federation.federation.simulation.world import make_world

Progress = Callable[[int], None]
"""Takes how many further launches were simulated."""


@dataclass(frozen=True, slots=True)
class Task:
    """One policy with one seed."""

    policy: PolicyName
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a task came to."""

    summary: Summary
    hours: Hours
    disturbances: tuple[Disturbance, ...]


def runs_of(plan: Plan) -> int:
    """How many times a task goes through the trace: once more, when something happens in it."""
    return 2 if plan.has_events else 1


def run_task(task: Task, plan: Plan, trace: Trace, on_progress: Progress) -> Result:
    """Simulate one task here."""
    world = make_world(trace, plan.world, seed=task.seed)
    bound, slots = bound_waits(world), slots_of_each(plan, trace)
    step = _Steps(on_progress)
    run = run_policy(task.policy, plan, world, bound=bound, slots=slots, on_progress=step)
    disturbances: list[Disturbance] = []
    if plan.has_events:
        quiet = replace(plan, losses=(), joinings=())
        step = _Steps(on_progress)
        without = run_policy(task.policy, quiet, world, bound=bound, slots=slots, on_progress=step)
        disturbances = compare(plan, run, without, world)
    return Result(summarise(run, world, bound), summarise_hours(run, world), tuple(disturbances))


def run_tasks(
    tasks: Sequence[Task], plan: Plan, trace: Trace, *, jobs: int, on_progress: Progress
) -> list[Result]:
    """Simulate all tasks, `jobs` at once; results in the tasks' order."""
    if jobs <= 1 or len(tasks) <= 1:
        return [run_task(task, plan, trace, on_progress) for task in tasks]
    found: dict[Task, Result] = {}
    open_tasks = list(tasks)
    workers: dict[Connection, tuple[Task, BaseProcess]] = {}
    try:
        while open_tasks or workers:
            while open_tasks and len(workers) < jobs:
                task = open_tasks.pop(0)
                connection, process = _start_worker(task, plan, trace)
                workers[connection] = task, process
            for connection, news in _hear(workers):
                if isinstance(news, int):
                    on_progress(news)
                    continue
                task, process = workers.pop(connection)
                process.join()
                if not isinstance(news, Result):
                    raise SimulationError(f"The simulation of {task.policy} broke off: {news}.")
                found[task] = news
    finally:
        for _, process in workers.values():
            process.terminate()
            process.join()
    return [found[task] for task in tasks]


class _Steps:
    """Turns how far a run is into how much further it is."""

    def __init__(self, on_progress: Progress) -> None:
        self._on_progress = on_progress
        self._done = 0

    def __call__(self, done: int) -> None:
        self._on_progress(done - self._done)
        self._done = done


def _start_worker(task: Task, plan: Plan, trace: Trace) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, task, plan, trace), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _work(connection: Connection, task: Task, plan: Plan, trace: Trace) -> None:
    try:
        connection.send(run_task(task, plan, trace, connection.send))
    except KeyboardInterrupt:
        connection.send("interrupted")


def _hear(
    workers: dict[Connection, tuple[Task, BaseProcess]],
) -> Iterator[tuple[Connection, object]]:
    for ready in wait(list(workers)):
        if not isinstance(ready, Connection):
            continue
        try:
            yield ready, ready.recv()
        except EOFError:
            yield ready, "its process ended"
