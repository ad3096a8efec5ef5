// Draws the figures of the book. A figure is a .compendium-plot followed by its JSON; plotly is loaded once, only on pages that have
// figures, and a figure is drawn when it comes near the screen. Colours follow the page's theme and change with it.
(() => {
  "use strict";
  const home = document.currentScript.src;
  const narrow = window.matchMedia("(max-width: 560px)");
  const touch = window.matchMedia("(pointer: coarse)");
  const CLEAR = "rgba(0,0,0,0)";
  const COLOURS = {
    light: ["#5b3c99", "#d1495b", "#00798c", "#e07b00", "#3c78c8", "#4f7f1f", "#9c4fa0", "#6b6b6b"],
    dark: ["#b49cf0", "#ff8a93", "#3fc1cf", "#ffb454", "#82b4ff", "#a5d46a", "#e39be0", "#b8bdc7"],
  };

  const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");

  function template() {
    const style = getComputedStyle(document.documentElement);
    const [ink, muted, grid, surface] = ["ink", "muted", "grid", "surface"].map((name) => style.getPropertyValue(`--compendium-${name}`).trim());
    const small = narrow.matches ? 11 : 12;
    const axis = {
      automargin: true, gridcolor: grid, zerolinecolor: grid, linecolor: muted, tickcolor: muted, ticks: "outside", ticklen: 4,
      tickfont: { size: small }, title: { font: { size: small + 1 }, standoff: 8 },
    };
    const bar = { outlinewidth: 0, thickness: 12, tickfont: { size: small }, tickcolor: muted, ticks: "outside", ticklen: 3 };
    const menu = { bgcolor: surface, bordercolor: grid, font: { color: ink, size: small + 1 } };
    return {
      layout: {
        font: { family: style.getPropertyValue("--pst-font-family-base"), size: small + 1, color: ink },
        paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, colorway: COLOURS[theme()], xaxis: axis, yaxis: axis,
        colorscale: { sequential: "Viridis", sequentialminus: "Viridis" }, coloraxis: { colorbar: bar },
        legend: { bgcolor: CLEAR, font: { size: small } },
        hoverlabel: { bgcolor: surface, bordercolor: muted, font: { color: ink, size: 13 }, align: "left" },
        modebar: { bgcolor: CLEAR, color: muted, activecolor: ink },
        annotationdefaults: { font: { color: ink }, arrowcolor: muted },
        updatemenudefaults: menu,
        sliderdefaults: { ...menu, activebgcolor: muted, tickcolor: muted, currentvalue: { font: { color: ink } } },
      },
      data: { heatmap: [{ colorbar: bar }], contour: [{ colorbar: bar }], scatter: [{ marker: { colorbar: bar } }] },
    };
  }

  // Names that slant below an x axis would lie over each other on a phone: there they stand, in a figure that is higher by what that takes.
  const slanted = (layout) => Object.keys(layout).filter((name) => name.startsWith("xaxis") && layout[name].tickangle < 0 && layout[name].tickangle > -90);
  // And the names of a legend stand one below the other there: the figure is higher by their lines beyond two, so that what is drawn is not pressed flat.
  function lines(data) {
    const names = [...new Set(data.filter((trace) => trace.name && trace.showlegend !== false).map((trace) => trace.name))];
    const wide = 48 + 6.5 * Math.max(0, ...names.map((name) => name.length)); // px of the longest name with its mark; plotly gives each as much
    return names.length < 2 ? 0 : Math.ceil(names.length / Math.max(1, Math.floor(320 / wide)));
  }
  const standing = (layout, data) => ({ height: layout.height + (slanted(layout).length ? 100 : 0) + 19 * Math.max(0, lines(data) - 2), angle: -90 });

  // The author's layout, fitted to the width at hand.
  function fitted(layout, data) {
    const own = { ...layout, template: template(), autosize: true };
    delete own.width;
    if (touch.matches) own.dragmode = false; // a finger on a figure scrolls the page
    if (!narrow.matches) return { ...own, margin: { l: 60, r: 16, t: 36, b: 48, ...layout.margin } };
    const titled = (layout.annotations || []).some((note) => note.yref === "paper" && note.y >= 0.99);
    const { height, angle } = standing(layout, data);
    return {
      ...own,
      ...Object.fromEntries(slanted(layout).map((name) => [name, { ...layout[name], tickangle: angle }])),
      height,
      margin: { l: 44, r: 8, t: 36, b: 40, ...layout.margin, ...(layout.margin ? { l: Math.min(layout.margin.l ?? 44, 60), r: Math.min(layout.margin.r ?? 8, 24) } : {}) },
      legend: { ...layout.legend, orientation: "h", x: 0, xanchor: "left", xref: "paper", y: titled ? 1.12 : 1.02, yanchor: "bottom", yref: "paper", tracegroupgap: 0 },
    };
  }

  let loading;
  function engine(path) {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(path, home).href;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("plotly.min.js is missing from the site"));
      document.head.append(script);
    });
    return loading;
  }

  async function recolour(plot) {
    if (plot.dataset.drawn === theme()) return;
    const colours = theme();
    await window.Plotly.relayout(plot, { template: template() });
    plot.dataset.drawn = colours;
  }

  async function draw(plot) {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "coming";
    try {
      const spec = JSON.parse(plot.nextElementSibling.textContent);
      const Plotly = await engine(plot.dataset.engine);
      plot.replaceChildren();
      plot.authored = structuredClone(spec.layout);
      const image = { filename: spec.layout.meta.name, scale: 2 };
      // Only these buttons: plotly's own set can send the figure's data to a cloud.
      const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
      const config = { ...spec.config, modeBarButtons: buttons, plotlyServerURL: "", toImageButtonOptions: image };
      const colours = theme();
      await Plotly.newPlot(plot, spec.data, fitted(spec.layout, spec.data), config);
      plot.dataset.drawn = colours;
      recolour(plot); // if the theme changed meanwhile
    } catch (error) {
      plot.dataset.drawn = "";
      plot.classList.add("compendium-missing");
      console.error("figure not drawn:", error);
    }
  }

  const plots = [...document.querySelectorAll(".compendium-plot")];
  if (!plots.length) return;
  const watcher = new IntersectionObserver(
    (seen) => seen.filter((entry) => entry.isIntersecting).forEach((entry) => { watcher.unobserve(entry.target); draw(entry.target); }),
    { rootMargin: "400px 0px" },
  );
  plots.forEach((plot) => watcher.observe(plot));

  const drawn = () => plots.filter((plot) => ["light", "dark"].includes(plot.dataset.drawn));
  new MutationObserver(() => drawn().forEach(recolour)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  narrow.addEventListener("change", () => drawn().forEach((plot) => {
    const { margin, legend, template: colours } = fitted(plot.authored, plot.data);
    const upright = { orientation: "v", x: 1.02, xanchor: "left", y: 1, yanchor: "auto", tracegroupgap: 10, ...plot.authored.legend };
    const { height, angle } = narrow.matches ? standing(plot.authored, plot.data) : plot.authored;
    const angles = slanted(plot.authored).map((name) => [`${name}.tickangle`, angle ?? plot.authored[name].tickangle]);
    window.Plotly.relayout(plot, { margin, legend: narrow.matches ? legend : upright, template: colours, height, ...Object.fromEntries(angles) });
  }));
  window.addEventListener("beforeprint", () => plots.forEach(draw));
})();
