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

  async function draw() {
    const look = darkness.matches ? looks.dark : looks.light;
    for (const plot of plots) {
      const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
      const small = plot.clientWidth < 560;
      if (small) figure.layout.margin = { ...figure.layout.margin, l: 52, r: 18 };
      if (figure.layout.scene) figure.layout.height = Math.min(figure.layout.height, Math.round(0.68 * plot.clientWidth));
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
