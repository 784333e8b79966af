// The trend of one series across commits as a drawing, and in words.
window.reportTrend = ({ data, element, make, commitNode, percent, withUnit }) => {
  const state = window.reportState;

  // Where the environment of a framework changed from one measured commit to the next.
  const changedEnvironments = (machine, framework) => {
    const names = machine.environments[framework];
    const found = [];
    let before = "";
    names.forEach((name, at) => {
      if (name && before && name !== before) found.push({ at, before, after: name });
      before = name || before;
    });
    return found;
  };

  const specification = (machine, item) => {
    const [label, colour] = data.optimizers[item.optimizer];
    const { commits } = machine;
    const points = item.values.flatMap((value, place) =>
      value === null
        ? []
        : [{ place, value, shown: withUnit(value, item.unit), ...titled(commits[place]) }],
    );
    const levels = item.levels.flatMap(([first, last, value], group) => [
      { place: first - 0.4, value, group },
      { place: last + 0.4, value, group },
    ]);
    const marks = item.marks.map((mark) => ({
      place: mark.at,
      value: mark.after,
      text: percent(mark.change),
      kind: mark.change > 0 ? "worse" : "better",
      ...titled(commits[mark.at]),
    }));
    const environments = changedEnvironments(machine, item.framework).map(({ at }) => ({ place: at - 0.5 }));
    const x = { field: "place", type: "quantitative" };
    const named = commits.length <= 40 ? commits.map(({ short }) => short) : commits.map(({ date }) => date.slice(0, 10));
    const symbol = { seconds: "s", bytes: "B" }[item.unit];
    const place = {
      ...x,
      title: "commits, the oldest first",
      scale: { domain: [-0.5, commits.length - 0.5], nice: false, zero: false },
      axis: { labelExpr: "names[datum.value] || ''", tickMinStep: 1, tickCount: 6, grid: false, labelOverlap: true },
    };
    const value = {
      field: "value",
      type: "quantitative",
      title: item.unit || "value",
      scale: { zero: false, padding: 14 },
      axis: symbol ? { labelExpr: `format(datum.value, '~s') + '${symbol}'`, tickCount: 5 } : { tickCount: 5 },
    };
    const tooltip = [
      { field: "commit", type: "nominal" },
      ...(commits.some(({ title }) => title) ? [{ field: "subject", type: "nominal" }] : []),
      { field: "date", type: "nominal" },
    ];
    return {
      params: [{ name: "names", value: named }],
      description: `${item.name}, ${label} in ${machine.frameworks[item.framework]}: ${points.length} values over ${commits.length} commits; ${item.marks.length} changes are marked. The table below has every value.`,
      width: "container",
      height: 230,
      autosize: { type: "fit-x", contains: "padding" },
      layer: [
        {
          data: { values: environments },
          mark: { type: "rule", strokeDash: [2, 3], opacity: 0.5, aria: false },
          encoding: { x: place },
        },
        {
          data: { values: points },
          mark: { type: "point", filled: true, size: points.length > 150 ? 10 : 30, color: colour, opacity: 0.55, aria: false },
          encoding: { x: place, y: value, tooltip: [...tooltip, { field: "shown", type: "nominal", title: "value" }] },
        },
        {
          data: { values: levels },
          mark: { type: "line", color: colour, strokeWidth: 2.5, aria: false },
          encoding: { x: place, y: value, detail: { field: "group", type: "nominal" } },
        },
        {
          data: { values: marks },
          mark: { type: "point", filled: true, size: 110, color: "currentColor", opacity: 1, aria: false },
          encoding: {
            x: place,
            y: value,
            shape: {
              field: "kind",
              type: "nominal",
              scale: { domain: ["worse", "better"], range: ["triangle-up", "triangle-down"] },
              legend: null,
            },
            tooltip: [{ field: "kind", type: "nominal" }, { field: "text", type: "nominal", title: "change" }, ...tooltip],
          },
        },
        {
          data: { values: marks },
          mark: { type: "text", dy: -14, fontSize: 12, fontWeight: "bold", aria: false },
          encoding: { x: place, y: value, text: { field: "text", type: "nominal" } },
        },
      ].filter((layer) => layer.data.values.length), // a scale complains of a layer with nothing in it
    };
  };
  const titled = ({ short, title, date }) => ({ commit: short, subject: title, date });

  const markWords = (machine, item) => {
    const changed = new Set(changedEnvironments(machine, item.framework).map(({ at }) => at));
    return item.marks.map((mark) => {
      const compare = make("button", { type: "button" }, "compare");
      compare.setAttribute("aria-label", `Compare ${machine.commits[mark.at].short} with the commit measured before it`);
      compare.addEventListener("click", () => {
        state.set("a", machine.commits[mark.since].short, element("compare"));
        state.set("b", machine.commits[mark.at].short, element("compare"));
        window.dispatchEvent(new Event("reportcompare"));
        element("compare").scrollIntoView();
        element("a").focus({ preventScroll: true });
      });
      const between = mark.at - mark.since > 1 ? `, not measured in the ${mark.at - mark.since - 1} commits before it` : "";
      return make(
        "li",
        {},
        `${mark.change > 0 ? "▲ worse" : "▼ better"} ${percent(mark.change)}, from ${withUnit(mark.before, item.unit)} to ${withUnit(mark.after, item.unit)}, at `,
        commitNode(machine.commits[mark.at]),
        ` (${machine.commits[mark.at].date}${between}${mark.count === 1 ? ", one value so far" : ""}${changed.has(mark.at) ? "; the environment changed there too" : ""}) `,
        compare,
      );
    });
  };

  const trendWords = (machine, item) => {
    const scatter = item.scatter === null ? "not known: too few values" : `${percent(item.scatter).slice(1)} of its level`;
    const reasons = new Map();
    item.missing.filter(Boolean).forEach((reason) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1));
    return [
      make("p", {}, item.measured ? `Scatter: ${scatter}. Every value is kept to ${item.digits} significant digits.` : ""),
      ...(item.marks.length ? [make("ul", {}, ...markWords(machine, item).reverse())] : [make("p", {}, "No change is marked.")]),
      ...[...reasons].map(([reason, count]) =>
        make("p", { className: "missing" }, `Missing at ${count} of ${machine.commits.length} commits, ${reason}: ${data.missing[reason]}.`),
      ),
      ...changedEnvironments(machine, item.framework).map(({ at, before, after }) =>
        make("p", { className: "byline" }, `Dotted line: at ${machine.commits[at].short} the environment changed from ${before} to ${after}.`),
      ),
    ];
  };

  return { specification, trendWords };
};
