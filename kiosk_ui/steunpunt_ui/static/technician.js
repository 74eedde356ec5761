// Draws the plots of the technician's page with uPlot; without it the table below them has the same figures.
(() => {
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const lines = ["#9f0d16", "#b36b00", "#6c7883"];
  const draw = box => {
    const plot = JSON.parse(box.dataset.plot), unit = plot.unit && " " + plot.unit;
    const say = value => value == null ? "–" : String(value).replace(".", ",") + unit;
    const axis = {stroke: css("--quiet"), grid: {stroke: css("--soft"), width: 1}, ticks: {stroke: css("--soft")}};
    const limits = plot.limits.map((limit, i) => ({
      label: limit.label, stroke: lines[i % 3], width: 1, dash: [8, 5], points: {show: false}, value: (_, v) => say(v),
    }));
    const options = {
      width: box.clientWidth, height: 220,
      scales: {x: {time: false}},
      series: [
        {label: "uur", value: (_, v) => v == null ? "–" : v.toFixed(1).replace(".", ",")},
        {label: plot.title, stroke: css("--deep"), width: 2, value: (_, v) => say(v)},
        ...limits,
      ],
      axes: [{...axis, values: (_, at) => at.map(v => v.toFixed(at[1] - at[0] < 1 ? 1 : 0).replace(".", ",") + " u")}, {...axis, size: 60, values: (_, at) => at.map(say)}],
    };
    box.replaceChildren();
    const data = [plot.hours, plot.values, ...plot.limits.map(limit => plot.hours.map(() => limit.value))];
    const chart = new uPlot(options, data, box);
    new ResizeObserver(() => chart.setSize({width: box.clientWidth, height: 220})).observe(box);
  };
  for (const box of document.querySelectorAll("[data-plot]")) draw(box);
})();
