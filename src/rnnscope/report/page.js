"use strict";
(() => {
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  const looks = {
    light: { text: "#3f444b", line: "#8a9099", grid: "rgba(0,0,0,0.08)", menu: "#f4f5f6" },
    dark: { text: "#c9cdd3", line: "#7d838c", grid: "rgba(255,255,255,0.10)", menu: "#2a2d32" },
  };
  const config = JSON.parse(document.getElementById("plot-config").textContent);
  const plots = [...document.querySelectorAll(".plot")];

  function dress(layout, look) {
    const changes = { "font.color": look.text };
    for (const key of Object.keys(layout)) {
      if (!/^[xy]axis\d*$/.test(key)) continue;
      changes[`${key}.gridcolor`] = look.grid;
      changes[`${key}.linecolor`] = look.line;
      changes[`${key}.tickcolor`] = look.line;
    }
    (layout.updatemenus || []).forEach((_, at) => {
      changes[`updatemenus[${at}].bgcolor`] = look.menu;
      changes[`updatemenus[${at}].bordercolor`] = look.grid;
    });
    return changes;
  }

  function wrapped(text, length) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const last = lines.length - 1;
      if (lines[last] && lines[last].length + word.length > length) lines.push(word);
      else lines[last] += (lines[last] ? " " : "") + word;
    }
    return lines;
  }

  // A phone: little beside the panels, long titles in lines, and in a scene what fits on its short axes.
  function narrow(layout) {
    layout.margin = { ...layout.margin, l: 52, r: 18 };
    let below = 0;
    for (const [key, axis] of Object.entries(layout)) {
      if (!/^xaxis\d*$/.test(key) || !axis.title?.text) continue;
      const lines = wrapped(axis.title.text, 42);
      axis.title.text = lines.join("<br>");
      below = Math.max(below, 17 * (lines.length - 1));
    }
    layout.margin.b += below;
    layout.height += below;
    for (const axis of ["xaxis", "yaxis", "zaxis"].map((name) => layout.scene?.[name]).filter(Boolean)) {
      axis.title = { text: axis.title.text.replace(/\s*\(.*\)$|<br>.*$/g, ""), font: { size: 10 } };
      Object.assign(axis, { tickfont: { size: 9 }, nticks: 3 });
    }
    for (const name of layout.scene ? ["x", "y", "z"] : []) layout.scene.camera.eye[name] *= 1.2;
  }

  async function draw() {
    const look = darkness.matches ? looks.dark : looks.light;
    for (const plot of plots) {
      const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
      const small = plot.clientWidth < 560;
      if (figure.layout.scene) figure.layout.height = Math.min(figure.layout.height, Math.round(0.72 * plot.clientWidth));
      if (small) narrow(figure.layout);
      await Plotly.newPlot(plot, { ...figure, config: small ? { ...config, displayModeBar: false } : config });
      await Plotly.relayout(plot, dress(figure.layout, look));
    }
    document.body.dataset.drawn = String(plots.length);
  }

  function redress(look) {
    for (const plot of plots) if (plot.layout) Plotly.relayout(plot, dress(plot.layout, look));
  }

  darkness.addEventListener("change", () => redress(darkness.matches ? looks.dark : looks.light));
  addEventListener("beforeprint", () => redress(looks.light));
  addEventListener("afterprint", () => redress(darkness.matches ? looks.dark : looks.light));
  draw();
})();
