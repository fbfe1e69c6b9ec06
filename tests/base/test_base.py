"""Atomic files, random numbers that leave the global state alone, names with a near match."""

import re
import subprocess
import sys
import threading

import pytest
import torch

from rnnscope.base import catalogue, errors
from rnnscope.base.files import replacing, write_text
from rnnscope.base.randomness import make_generator, seeded, spawn_seed, undisturbed
from rnnscope.base.threads import map_over_threads, torch_threads


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_seeds_are_independent_by_name():
    assert len({spawn_seed(0, "a"), spawn_seed(0, "b"), spawn_seed(1, "a")}) == 3
    assert 0 <= spawn_seed(0, "a") < 2**63
    a, b = (torch.rand(3, generator=make_generator(5, "x")) for _ in range(2))
    assert torch.equal(a, b)


def test_global_random_state_is_put_back():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with undisturbed():
        torch.rand(7)
    with seeded(3, "model"):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    assert not torch.equal(inside, expected)


def openmp_threads(_=None):
    return int(re.findall(r"omp_get_max_threads\(\) : (\d+)", torch.__config__.parallel_info())[0])


def test_every_worker_thread_has_one_thread_inside_operations():
    with torch_threads(2):
        with map_over_threads(3) as mapped:
            assert set(mapped(openmp_threads, range(6))) == {1}
        with map_over_threads(1) as mapped:
            assert list(mapped(openmp_threads, range(2))) == [1, 1]
            assert set(mapped(lambda _: threading.get_ident(), range(2))) == {threading.get_ident()}
        assert torch.get_num_threads() == 2


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with torch_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_catalogue_names_the_nearest():
    with pytest.raises(ValueError, match="unknown task 'sin': did you mean 'sine'"):
        catalogue.load("rnnscope.tasks", "sin")
    assert str(errors.unknown("thing", "zzz", ["a"])) == "unknown thing 'zzz': Valid: a"


@pytest.mark.parametrize(
    "module", ["rnnscope", "rnnscope.figures", "rnnscope.cli", "rnnscope.systems", "rnnscope.runs"]
)
def test_rooms_load_no_torch_until_something_is_used(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'matplotlib', 'plotly', 'xarray') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_public_name_is_there():
    import rnnscope

    for name in rnnscope.__all__:
        assert getattr(rnnscope, name) is getattr(rnnscope, name)
    with pytest.raises(AttributeError, match="has no attribute 'Orbit'"):
        rnnscope.Orbit  # noqa: B018
