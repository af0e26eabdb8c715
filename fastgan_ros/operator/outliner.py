"""Finds the outlines of a selection in a thread of its own, one at a time."""

from concurrent.futures import Executor

from fastgan_ros.operator.marking import Selection
from fastgan_ros.operator.marks import Job


class Outliner:
    """`pool` runs the jobs."""

    def __init__(self, pool: Executor):
        self._pool = pool
        self._running: tuple | None = None  # whose job, the job, and its future

    def tick(self, selection: Selection | None) -> tuple[Job, str] | None:
        """Hand over what was found and begin what is to be found.

        Returns:
            a job of this selection that was done, and what went wrong with it in words; None when there is none.
        """
        done = None
        if self._running and self._running[2].done():
            owner, job, future = self._running
            self._running = None
            found, problem = future.result()
            owner.settle(job, found, problem)
            if owner is selection:
                done = job, problem
        if selection and not self._running and (job := selection.next_job()):
            self._running = selection, job, self._pool.submit(job.run)
        return done
