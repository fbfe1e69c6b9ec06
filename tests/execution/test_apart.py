"""Real worker processes, killed and interrupted."""

import sys
from pathlib import Path

import pytest

from rnnscope.base.errors import WorkerKilledError
from rnnscope.execution import map_units, processes, run_apart


@pytest.fixture
def work(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import apart_units  # pyright: ignore[reportMissingImports]

    yield apart_units
    del sys.modules["apart_units"]


def run(function, units, n_workers=2, **options):
    results = {}
    run_apart(function, units, n_workers, ended=results.__setitem__, **options)
    return results


def test_every_unit_ends_once_with_its_result_or_its_error(work):
    ticks = []
    results = run(work.square, [(k,) for k in range(5)], meanwhile=lambda: ticks.append(1))
    assert results == {k: k * k for k in range(5)}
    assert ticks
    assert str(run(work.fail, [(1,)], 1)[0]) == "no 1"
    assert run(work.square, []) == {}
    with pytest.raises(ValueError, match="workers: expected a positive whole number, came 0"):
        run(work.square, [(1,)], 0)


def test_a_killed_worker_costs_its_unit_and_no_other(work):
    results = run(work.die_if_odd, [(k,) for k in range(4)])
    assert (results[0], results[2]) == (0, 2)
    assert all(isinstance(results[k], WorkerKilledError) for k in (1, 3))


def test_an_interruption_reaches_the_units_and_lets_them_end(work, tmp_path):
    def interrupt():
        if len(list(tmp_path.glob("*.begun"))) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(work.work_long, [(str(tmp_path), name) for name in "abc"], meanwhile=interrupt)
    assert {path.name for path in tmp_path.iterdir()} == {f"{n}.{e}" for n in "ab" for e in ("begun", "interrupted")}


def test_a_killed_worker_of_mapped_units_is_named_after_all_that_was_done(work):
    done = []
    with processes(2) as executor, pytest.raises(WorkerKilledError, match=r"killed.*the same call again does the rest"):
        done.extend(map_units(work.die_if_odd, [(k,) for k in (0, 2, 4, 1)], executor))
    assert sorted(done) == [0, 2, 4]
