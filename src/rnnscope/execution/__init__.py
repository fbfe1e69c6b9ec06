"""Mapping pure work units over this process, several processes, or a cluster.

A work unit is a module-level function on picklable arguments; anything with the ``concurrent.futures.Executor``
interface maps it: loky for the cores of this machine (``processes``), Dask's ``Client.get_executor()`` for a cluster.
Long units that must not take each other down run apart (``run_apart``).
"""

from rnnscope.execution.apart import run_apart as run_apart
from rnnscope.execution.mapping import map_units as map_units
from rnnscope.execution.mapping import processes as processes
