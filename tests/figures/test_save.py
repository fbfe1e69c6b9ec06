import pytest
from matplotlib.figure import Figure as MatplotlibFigure

import rnnscope as rs


@pytest.mark.parametrize(("ending", "first"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_matplotlib_figures(orbits, tmp_path, ending, first):
    path = tmp_path / f"orbits.{ending}"
    assert rs.figures.save(rs.figures.orbit_diagram(orbits(n_epochs=4)), path) == path
    assert path.read_bytes().startswith(first)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_same_figure_is_the_same_bytes(orbits, tmp_path, ending):
    written = [
        rs.figures.save(rs.figures.orbit_diagram(orbits(n_epochs=4)), tmp_path / f"{name}.{ending}").read_bytes()
        for name in "ab"
    ]
    assert written[0] == written[1]


def test_a_plotly_figure_is_complete_and_offers_to_send_nothing(orbits, tmp_path):
    path = tmp_path / "orbits.html"
    rs.figures.save(rs.figures.orbit_diagram(orbits(n_epochs=4), backend="plotly"), path)
    page = path.read_text()
    assert page.count("plotly.js v") == 1
    assert "<script src" not in page
    assert '"showSendToCloud": false' in page


@pytest.mark.parametrize("name", ["orbits.gif", "orbits", "orbits.htm"])
def test_other_endings_are_refused_with_the_valid_ones(tmp_path, name):
    with pytest.raises(ValueError, match=r"ends in one of \.pdf, \.png, \.svg, \.html, came"):
        rs.figures.save(MatplotlibFigure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_ending_of_the_other_backend_names_the_remedy(orbits, tmp_path):
    with pytest.raises(ValueError, match=r'a matplotlib figure is written as .*; draw it with backend="plotly"'):
        rs.figures.save(MatplotlibFigure(), tmp_path / "orbits.html")
    plotly = rs.figures.orbit_diagram(orbits(n_epochs=2), backend="plotly")
    with pytest.raises(ValueError, match=r'a plotly figure is written as \.html.*backend="matplotlib"'):
        rs.figures.save(plotly, tmp_path / "orbits.png")


def test_what_is_no_figure(tmp_path):
    with pytest.raises(TypeError, match="expected a matplotlib or a plotly figure, came int"):
        rs.figures.save(3, tmp_path / "orbits.png")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "orbits.png"
    path.write_bytes(b"old")

    def fail(self, temporary, **settings):
        temporary.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(MatplotlibFigure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        rs.figures.save(MatplotlibFigure(), path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["orbits.png"]
