// Draws every chart from the specification beside it.
// `ast` evaluates expressions without eval, which the page's security policy forbids.
for (const block of document.querySelectorAll("script[data-chart]")) {
  const target = document.getElementById(block.dataset.chart);
  vegaEmbed(target, JSON.parse(block.textContent), {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
  }).catch((error) => {
    target.textContent = `This chart could not be drawn (${error.message}). The table below has its numbers.`;
    console.error(error);
  });
}
