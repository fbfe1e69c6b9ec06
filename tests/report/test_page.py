import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnscope as rs
from rnnscope.cli.demo import frequency_table
from rnnscope.findings.orbits import headline
from rnnscope.report._view import _input_rows


class Page(HTMLParser):
    """What a page refers to, and the text that a reader sees."""

    def __init__(self, source):
        super().__init__()
        self.addresses, self.words, self._inside = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self._inside.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "poster")]

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._inside):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


VARIANTS = {
    "plain": {},
    "one epoch": {"n_epochs": 1},
    "one input": {"n_inputs": 1},
    "several outputs": {"n_outputs": 2},
    "diverging": {"diverging": 1, "huge": True},
    "never measured": {"measured": False},
    "limit sets": {"limits": True},
    "limit sets without orbits": {"measured": False, "limits": True},
    "limit sets at one input": {"limits": True, "n_inputs": 1},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_page_of_every_variant_refers_to_nothing_outside(still_run, tmp_path, variant):
    path = rs.write_report(still_run(**VARIANTS[variant]), tmp_path / "report.html")
    source = path.read_text()
    assert Page(source).addresses == []
    assert source.count("plotly.js v") == 1
    assert "@import" not in source.split("</style>")[0]
    assert "default-src 'none'" in source


def test_the_page_tells_what_happened(still_run, tmp_path):
    run = still_run()
    run.damaged = ["probes/orbits-0/0-63.nc: cut short"]
    text = Page(rs.write_report(run, tmp_path / "report.html").read_text()).text
    for words in (
        "An LSTM network of 32 units trained on the task “sine” for 60 epochs at learning rate 0.01, seed 0.",
        "Over the last 20 epochs the state mostly oscillates at all 10 inputs (throughout at 3)",
        "what at least half of the starts do at every input, ties going to oscillates",
        "if that is true of two kinds, oscillates goes before rests and rests before diverges",
        "gaps are stretches in which nobody looked",
        "The largest loss jump is at epoch 48",
        "for 1600 steps, of which the first 1200 are the transient",
        "rnnscope train sine --seed 0",
        "probes/orbits-0/0-63.nc: cut short",
        "versions.torch 2.13.0",
        "training.learning_rate 0.01",
        "Ribeiro et al., AISTATS 2020.",
        "arXiv:1906.08482",
        "arXiv:1905.00820",
    ):
        assert words in text


def test_a_run_of_someone_elses_loop_has_no_settings_and_no_command(still_run, tmp_path):
    run = still_run()
    run.config, run.provenance = {}, {}
    text = Page(rs.write_report(run, tmp_path / "report.html").read_text()).text
    assert "A network recorded while it trained for 60 epochs" in text
    assert "No command is known" in text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model": "MyNet"}, "A MyNet network recorded while it trained for 60 epochs."),
        ({"model": {"name": "lstm", "num_layers": 2, "hidden_size": 8}}, "An LSTM network of 2 layers of 8 units"),
        ({"model": {"name": "stable-lstm", "input_bound": 1.0}}, "A stable LSTM network recorded"),
        ({"model": {"name": "orthogonal", "hidden_size": 9}}, "An orthogonal network of 9 units recorded"),
        ({"model": {"name": "mingru"}, "task": "mine"}, "A minGRU network trained on the task “mine” for 60 epochs"),
        ({"model": None, "training": 3}, "A network recorded while it trained for 60 epochs"),
    ],
)
def test_headings_of_all_sorts_of_settings(still_run, tmp_path, config, words):
    run = still_run()
    run.config = config
    assert words in Page(rs.write_report(run, tmp_path / "report.html").read_text()).text


def test_the_heading_of_a_run_recorded_in_a_loop_of_ones_own(tmp_path):
    core, head = torch.nn.LSTM(1, 4, batch_first=True), torch.nn.Linear(4, 1)
    recorder = rs.Recorder(tmp_path / "mine", (core, head))
    for epoch in range(3):
        recorder.epoch(epoch, loss=0.5)
    run = rs.Run(tmp_path / "mine")
    run.probe(rs.Orbits(inputs=[[0.0], [1.0]], n_transient=30, n_keep=20))
    text = Page(rs.write_report(run, tmp_path / "report.html").read_text()).text
    assert "recorded while it trained for 3 epochs. Looked at 4 epochs, 2 constant inputs" in text
    assert "Its recording is still open." in text
    assert not re.search(r"None|nan|\{|\}", text.split("How it was done")[0])


def test_an_input_is_told_by_the_rule_of_the_headline(synthetic):
    told = synthetic.make_summary(synthetic.make_orbits(n_epochs=60)).isel(input=slice(0, 3)).copy(deep=True)
    for name, value in (("kind", 0), ("input_kind", 0), ("frequency", float("nan"))):
        told[name][:] = value
    told["kind"][-3, 0, 1], told["frequency"][-3, 0, 1] = 1, 0.7
    for name, value in (("kind", 1), ("input_kind", 1), ("frequency", 0.22)):
        told[name][5:8, 1], told[name][45:, 1] = value, value
    told["input_kind"][-1, 2] = 3
    rests, oscillates, ended = _input_rows(told)
    assert (rests["kind"], rests["mostly"], rests["learned"], rests["error"]) == ("rests", "", "", "")
    assert (rests["since"], rests["share"]) == ("1", "0 %")
    assert (oscillates["kind"], oscillates["mostly"], oscillates["learned"]) == ("oscillates", "mostly ", "0.2200")
    assert (oscillates["since"], oscillates["share"]) == ("46", "30 %")
    assert (ended["kind"], ended["mostly"], ended["since"]) == ("rests", "mostly ", "")
    assert headline(told).n_compared == sum(bool(row["learned"]) for row in (rests, oscillates, ended)) == 1


def test_the_demo_says_what_an_input_does_that_has_no_frequency(synthetic, monkeypatch):
    from rnnscope import attractors

    told = synthetic.make_summary(synthetic.make_orbits(n_epochs=20)).isel(input=slice(0, 4)).copy(deep=True)
    told["input_kind"][:] = [1, 0, 2, 3]
    told["frequency"][:] = 0.25
    monkeypatch.setattr(attractors, "summarise_orbits", lambda orbits: told)
    table = frequency_table(synthetic.make_orbits(n_epochs=20))
    learned = [next(iter(column.cells)) for column in table.columns]
    assert learned == ["learned", "0.250", "rests", "diverges", "undetermined"]


def test_names_from_outside_are_escaped(still_run, tmp_path):
    run = still_run(name="</script><script>alert(1)</script>")
    run.config["note"] = "<b>&"
    run.orbits["orbit"].attrs["long_name"] = "</script><script>alert(2)</script>"
    source = rs.write_report([run, run], tmp_path / "report.html").read_text()
    assert "<script>alert" not in source
    assert "&lt;b&gt;&amp;" in source


def test_several_runs_stand_side_by_side_on_equal_axes(still_run, tmp_path):
    runs = [still_run(n_epochs=60, name="first"), still_run(n_epochs=40, name="second", n_outputs=2)]
    runs[1].orbits["orbit"] *= 2
    runs[1].scalars["loss"] /= 100
    source = rs.write_report(runs, tmp_path / "report.html", title="Two runs").read_text()
    text = Page(source).text
    assert "Two runs" in text
    assert "1. first oscillates ×10" in text
    stored = dict(re.findall(r'id="figure-([\w-]+)">(.*?)</script>', source, re.DOTALL))
    kinds = ("main", "tunnel", "transient", "frequency")
    assert set(stored) == {"losses", *(f"{kind}-{at}" for kind in kinds for at in (0, 1))}
    layouts = [json.loads(stored[f"main-{at}"])["layout"] for at in (0, 1)]
    for axis in ("xaxis", "yaxis", "yaxis3"):
        assert layouts[0][axis]["range"] == layouts[1][axis]["range"]
    assert layouts[0]["xaxis"]["range"][1] == 60.5
    assert layouts[0]["yaxis3"]["tickvals"] == layouts[1]["yaxis3"]["tickvals"]


def test_no_learned_frequency_no_figure_of_it(still_run, tmp_path):
    run = still_run(n_epochs=60)
    assert 'id="figure-frequency-0"' in rs.write_report(run, tmp_path / "report.html").read_text()
    run.orbits = run.orbits.isel(step=slice(0, 38))  # births at the end, at less than half of the last 20
    assert 'id="figure-frequency-0"' not in rs.write_report(run, tmp_path / "report.html").read_text()


def test_one_of_several_runs_was_never_measured(still_run, tmp_path):
    runs = [still_run(), still_run(measured=False, name="bare"), still_run(name="third")]
    text = Page(rs.write_report(runs, tmp_path / "report.html").read_text()).text
    assert "2. bare orbits never measured" in text


def test_an_old_page_is_replaced_and_missing_folders_are_made(still_run, tmp_path):
    path = tmp_path / "new" / "report.html"
    rs.write_report(still_run(n_epochs=2), path)
    rs.write_report(still_run(n_epochs=3), path)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_bad_arguments_are_named(still_run, tmp_path):
    with pytest.raises(ValueError, match=r"path: expected a file name that ends in \.html, came"):
        rs.write_report(still_run(n_epochs=2), tmp_path / "report.pdf")
    with pytest.raises(ValueError, match="runs: expected at least one run"):
        rs.write_report([], tmp_path / "report.html")
    no_run: Any
    for no_run in ("runs/demo", ["runs/demo"], Path("runs/demo"), 3):
        with pytest.raises(TypeError, match=r"runs: expected a Run or several, such as Run\('runs/demo'\), came"):
            rs.write_report(no_run, tmp_path / "report.html")


def look(path, folder):
    """The document after its scripts ran, what the browser said, and the addresses that the page asked for."""
    log = folder / "network.json"
    command = [
        *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
        *("--disable-dev-shm-usage", "--virtual-time-budget=10000", f"--user-data-dir={folder / 'profile'}"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *("--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom", path.as_uri()),
    ]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    requests = [line for line in log.read_text().splitlines() if '"initiator":' in line and '"url":"http' in line]
    by_the_page = [line for line in requests if '"initiator":"not an origin"' not in line]
    return told.stdout, told.stderr, [re.findall(r'"url":"([^"]*)"', line)[0] for line in by_the_page]


browser = pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium to look at the page with")


def complaints(said):
    """What the page wrote to the console, but for what software WebGL says of itself."""
    about_webgl = ("WebGL", "GL Driver", "Canvas2D", "global initializers")
    return [line for line in said.splitlines() if "CONSOLE" in line and not any(word in line for word in about_webgl)]


@browser
@pytest.mark.browser
@pytest.mark.parametrize("n_runs", [1, 2])
def test_a_browser_draws_every_figure_and_asks_nothing_of_the_network(still_run, tmp_path, n_runs):
    runs = [still_run(n_epochs=80, n_keep=200, name=f"run-{at}") for at in range(n_runs)]
    document, said, asked = look(rs.write_report(runs, tmp_path / "report.html"), tmp_path)
    n_figures = document.count('data-figure="figure-')
    drawn = re.search(r'<body[^>]*data-drawn="(\d+)"', document)
    assert drawn is not None, said[-2000:]
    assert int(drawn.group(1)) == n_figures == (4 if n_runs == 1 else 9)
    assert len(re.findall(r'class="main-svg"', document)) >= n_figures
    assert not complaints(said)
    assert asked == []


@browser
@pytest.mark.browser
def test_a_request_of_a_page_would_be_seen(tmp_path):
    (tmp_path / "page.html").write_text('<img src="http://127.0.0.1:9/picture.png">')
    _, _, asked = look(tmp_path / "page.html", tmp_path)
    assert asked == ["http://127.0.0.1:9/picture.png"]


@browser
@pytest.mark.browser
@pytest.mark.parametrize("name", ["orbit_diagram", "tunnel", "kind_map", "transient", "frequency", "loss"])
def test_a_browser_draws_each_saved_figure(synthetic, tmp_path, name):
    orbits = synthetic.make_orbits(n_epochs=80, n_keep=200)
    given = {"loss": synthetic.make_scalars(80), "orbit_diagram": orbits, "transient": orbits, "tunnel": orbits}
    figure = getattr(rs.figures, name)(given.get(name, synthetic.make_summary(orbits)), backend="plotly")
    document, said, asked = look(rs.figures.save(figure, tmp_path / "figure.html"), tmp_path)
    assert 'class="main-svg"' in document
    assert not complaints(said)
    assert asked == []


def figures_of(source):
    stored = re.findall(r'id="figure-([\w-]+)">(.*?)</script>', source, re.DOTALL)
    return {name: json.loads(content) for name, content in stored}


def test_limit_sets_stand_under_the_orbits_and_in_a_table(still_run, tmp_path):
    source = rs.write_report(still_run(limits=True), tmp_path / "report.html").read_text()
    figures = figures_of(source)
    assert set(figures) == {"main-0", "tunnel-0", "transient-0", "frequency-0", "multipliers-0"}
    titles = [figures["main-0"]["layout"][f"yaxis{at}"]["title"]["text"] for at in ("", 2, 3, 4)]
    assert titles == ["loss", "output y", "input frequency ω (rad/step)", "λ1 ≥ λ2 ≥ λ3<br>(nat/step)"]
    assert len(figures["multipliers-0"]["frames"]) == 12
    text = Page(source).text
    for words in (
        "Which limit sets, when",
        "5 – 30 all fixed point 100%",
        "35 – 60 0.196 … 0.284 fixed point 50%",
        "closed curve 50%",
        "Limit sets were looked for at 12 epochs and 10 constant inputs, from 4 starts each",
        "a cell divided by the share of the starts",
    ):
        assert words in text
    assert "ties going to oscillates, and the loss" not in text


def test_limit_sets_without_orbits_have_figures_of_their_own(still_run, tmp_path):
    source = rs.write_report(still_run(measured=False, limits=True), tmp_path / "report.html").read_text()
    assert set(figures_of(source)) == {"loss-0", "attractors-0", "exponents-0", "multipliers-0"}
    assert "only its limit sets are known" in Page(source).text
    assert "Ribeiro et al., AISTATS 2020." in Page(source).text


def test_a_run_without_limit_sets_looks_as_before(still_run, tmp_path):
    source = rs.write_report(still_run(), tmp_path / "report.html").read_text()
    text = Page(source).text
    assert set(figures_of(source)) == {"main-0", "tunnel-0", "transient-0", "frequency-0"}
    assert "Which limit sets" not in text
    assert "Limit sets were looked for" not in text


def test_of_several_runs_the_orbits_stay_alike_and_the_limit_sets_stand_apart(still_run, tmp_path):
    runs = [still_run(limits=True, name="first"), still_run(name="second")]
    figures = figures_of(rs.write_report(runs, tmp_path / "report.html").read_text())
    assert {"attractors-0", "exponents-0", "multipliers-0"} <= set(figures)
    assert not {"attractors-1", "exponents-1", "multipliers-1"} & set(figures)
    rows = [sum(key.startswith("yaxis") for key in figures[f"main-{at}"]["layout"]) for at in (0, 1)]
    assert rows == [3, 3]


@browser
@pytest.mark.browser
def test_a_browser_draws_limit_sets_and_knows_the_frames_of_the_slider(still_run, tmp_path):
    path = rs.write_report(still_run(limits=True), tmp_path / "report.html")
    count = "<script>addEventListener('load', () => setTimeout(() => { document.body.dataset.frames = String("
    count += "document.getElementById('plot-multipliers-0')._transitionData._frames.length) }, 6000))</script></body>"
    path.write_text(path.read_text().replace("</body>", count))
    document, said, asked = look(path, tmp_path)
    assert 'data-drawn="5"' in document
    assert 'data-frames="12"' in document
    assert not complaints(said)
    assert asked == []


@browser
@pytest.mark.browser
@pytest.mark.parametrize("name", ["attractor_map", "exponents", "multipliers"])
def test_a_browser_draws_each_saved_figure_of_limit_sets(synthetic, tmp_path, name):
    figure = getattr(rs.figures, name)(synthetic.make_attractors(), backend="plotly")
    document, said, asked = look(rs.figures.save(figure, tmp_path / "figure.html"), tmp_path)
    assert 'class="main-svg"' in document
    assert not complaints(said)
    assert asked == []


def test_a_few_wild_epochs_of_one_run_do_not_flatten_the_others():
    import numpy as np
    import xarray as xr

    from rnnscope.figures._samples import common_range

    def orbits(*amplitudes):
        values = np.array(amplitudes)[:, None] * np.linspace(-1, 1, 11)
        return xr.Dataset({"orbit": (("step", "input", "start", "time", "output"), values[:, None, None, :, None])})

    low, high = common_range([orbits(1, 1, 1, 1), orbits(150, 2, 2, 2)])
    assert -4 < low < -2
    assert 2 < high < 4
    low, high = common_range([orbits(1, 1, 1, 1), orbits(3, 3, 3, 3)])
    assert low < -3
    assert high > 3
    assert common_range([orbits(np.nan, np.nan)]) == (-1, 1)
    assert common_range([orbits(0, 0)]) == (-1, 1)
