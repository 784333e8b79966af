// Draws every chart from the specification beside it, those in sight first.
{
  // Rows as objects, from the data block of that name.
  const records = (name) => {
    const block = document.querySelector(`script[data-name="${CSS.escape(name)}"]`);
    const { fields, rows } = JSON.parse(block.textContent);
    return rows.map((row) => Object.fromEntries(fields.map(([field], index) => [field, row[index]])));
  };

  // Names of the data that a specification, or a layer of it, refers to.
  const names = (spec) => [
    ...(spec.data?.name ? [spec.data.name] : []),
    ...["layer", "hconcat", "vconcat", "concat"].flatMap((key) => (spec[key] ?? []).flatMap(names)),
    ...(spec.spec ? names(spec.spec) : []),
  ];

  const draw = (block) => {
    const target = document.getElementById(block.dataset.chart);
    const spec = JSON.parse(block.textContent);
    spec.datasets = { ...spec.datasets };
    for (const name of names(spec)) spec.datasets[name] ??= records(name);
    // `ast` evaluates expressions without eval, which the page's security policy forbids.
    return vegaEmbed(target, spec, { mode: "vega-lite", renderer: "svg", actions: false, ast: true }).catch((error) => {
      target.textContent = `This chart could not be drawn (${error.message}). The tables below have its numbers.`;
      console.error(error);
    });
  };

  for (const block of document.querySelectorAll("script[data-chart]")) draw(block);
}
