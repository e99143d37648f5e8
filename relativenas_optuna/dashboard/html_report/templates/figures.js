"use strict";
(function () {
  const given = JSON.parse(document.getElementById("figure-data").textContent);

  // The figures are made for white paper; here they take the page's colours.
  function themed(figure) {
    const style = getComputedStyle(document.documentElement);
    let text = JSON.stringify(figure);
    for (const [paper, name] of Object.entries(given.colours)) {
      text = text.replaceAll(paper, style.getPropertyValue(name).trim());
    }
    const made = JSON.parse(text);
    const layout = made.layout;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = Object.assign({}, layout.font, { color: style.getPropertyValue("--ink").trim() });
    // Below all else, however many lines it takes on a narrow screen.
    layout.legend = Object.assign({}, layout.legend, { x: 0, y: 0, yref: "container", yanchor: "bottom" });
    return made;
  }

  function draw() {
    for (const [name, figure] of Object.entries(given.figures)) {
      const made = themed(figure);
      Plotly.react(name, made.data, made.layout, { displaylogo: false, responsive: true });
    }
  }

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
