"""Mapping pure work units over this process, several processes, or a cluster.

A work unit is a module-level function on picklable arguments; anything with the ``concurrent.futures.Executor``
interface
maps it: loky for the cores of this machine (``processes``), Dask's ``Client.get_executor()`` for a cluster.
"""

from rnnscope.execution.mapping import map_units as map_units
from rnnscope.execution.mapping import processes as processes
