// Draws every chart from its packed specification: those in sight at once, the others when the browser has time.
{
  const config = JSON.parse(document.getElementById("chart-config").textContent);
  // Draws one specification. `ast` evaluates expressions without eval, which the page's security policy forbids.
  window.reportChart = (target, spec) =>
    vegaEmbed(target, spec, { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config });

  // Rows as objects, from the data of that name. Each drawing gets its own: Vega writes into them.
  const records = ({ fields, rows }) =>
    rows.map((row) => Object.fromEntries(fields.map(([field], index) => [field, row[index]])));

  // Names of the data that a specification, or a layer of it, refers to.
  const names = (spec) => [
    ...(spec.data?.name ? [spec.data.name] : []),
    ...["layer", "hconcat", "vconcat", "concat"].flatMap((key) => (spec[key] ?? []).flatMap(names)),
    ...(spec.spec ? names(spec.spec) : []),
  ];

  const embed = async (target) => {
    const { charts, data } = await window.reportPacked;
    const spec = charts[target.id];
    spec.datasets = { ...spec.datasets };
    for (const name of names(spec)) spec.datasets[name] ??= records(data[name]);
    await reportChart(target, spec);
    // Vega tells screen readers of marks even where there are none.
    for (const empty of target.querySelectorAll('[role="graphics-symbol"]:empty:not([aria-label])')) {
      empty.removeAttribute("role");
      empty.removeAttribute("aria-roledescription");
    }
  };

  const waiting = new Set();
  let unfinished = 0;
  const finish = () => {
    if (!unfinished) document.documentElement.dataset.charts = "drawn";
  };

  const draw = async (target) => {
    if (!waiting.delete(target)) return;
    observer.unobserve(target);
    try {
      await embed(target);
    } catch (error) {
      target.textContent = `This chart could not be drawn (${error.message}). The tables below have its numbers.`;
      console.error(error);
    }
    target.style.minHeight = "";
    unfinished -= 1;
    finish();
  };

  const observer = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "50% 0%" },
  );
  for (const target of document.querySelectorAll(".chart[data-height]")) {
    // Its place is kept: what stands below must not move when the chart is drawn.
    target.style.minHeight = `${Number(target.dataset.height) || 300}px`;
    waiting.add(target);
    unfinished += 1;
    observer.observe(target);
  }

  const idle = window.requestIdleCallback ?? ((act) => setTimeout(act, 50));
  const next = async () => {
    const [target] = waiting;
    if (!target) return;
    await draw(target);
    idle(next);
  };
  // Not before the first picture of the page is there.
  window.addEventListener("load", () => idle(next));
  window.addEventListener("beforeprint", () => [...waiting].forEach(draw));
  finish();
}
