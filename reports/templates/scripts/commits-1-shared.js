// What the scripts of the chapter "Across commits" share: the histories from the block #commits-data, which
// reports/charts/commits/embed.py makes, and how values, changes, commits and tables are written.
// `reportCommits` is a promise of it, or of null where the page has no history or cannot unpack it.
window.reportCommits = (async () => {
  const block = document.getElementById("commits-data");
  if (!block) return null;
  const element = (name) => document.getElementById(`commits-${name}`);
  const state = window.reportState;

  // At once, so that a link into the chapter finds its place; what is filled in later has its room reserved.
  element("view").hidden = false;
  let data;
  try {
    data = await window.reportUnpack(block);
  } catch (error) {
    element("broken").textContent =
      `The values could not be unpacked (${error.message}); a browser of 2023 or later can. The marked changes stand below.`;
    element("broken").hidden = false;
    element("view").hidden = true;
    return null;
  }

  const make = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const number = (value) => {
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e15) return value.toLocaleString("en");
    const text = size < 1e-4 || size >= 1e7 ? value.toExponential(4) : value.toPrecision(5);
    return text.includes("e") ? text : text.replace(/0+$/, "").replace(/\.$/, "");
  };
  const percent = (share) => {
    if (!Number.isFinite(share)) return "from 0";
    if (share === 0) return "0 %";
    const size = Math.abs(100 * share);
    const digits = size < 9.95 ? size.toFixed(1) : Math.round(size).toLocaleString("en");
    return `${share < 0 ? "-" : "+"}${digits} %`;
  };
  // As comparison.py: the change relative to the value before.
  const relative = (before, after) => {
    if (before === after) return 0;
    return before === 0 ? Math.sign(after) * Infinity : (after - before) / Math.abs(before);
  };
  const far = (change) => (change > -1 ? Math.abs(Math.log1p(change)) : Infinity);

  const optimizerLabel = (name) => data.optimizers[name]?.[0] ?? name;
  const withUnit = (value, unit) => {
    if (unit !== "seconds" || value === 0) return `${number(value)}${unit ? ` ${unit}` : ""}`;
    const [factor, symbol] = [[1, "s"], [1e3, "ms"], [1e6, "µs"]].find(([by]) => Math.abs(value) * by >= 1) ?? [1e9, "ns"];
    return `${number(value * factor)} ${symbol}`;
  };

  // Stretches [[from, text], ...] as one text for each of `length` commits.
  const spread = (runs, length) =>
    runs.flatMap(([from, text], index) => Array((runs[index + 1]?.[0] ?? length) - from).fill(text));

  const prepare = (machine) => {
    const commits = machine.commits.map(([name, date, subject, link], place) => ({ name, date, subject, link, place }));
    // As short as tells all commits apart.
    let digits = 8;
    while (digits < 40 && new Set(commits.map(({ name }) => name.slice(0, digits))).size < commits.length) digits += 4;
    const unknown = commits.some(({ subject }) => subject) ? "(subject not known)" : "";
    for (const commit of commits) {
      commit.short = commit.name.slice(0, digits);
      commit.title = commit.subject || unknown;
    }
    const series = machine.series.map((item) => {
      const optimizer = item.parameters.find(([name]) => name === "optimizer")?.[1] ?? "";
      const others = item.parameters.filter(([name]) => name !== "optimizer").map((pair) => pair.join(" ")).join(", ");
      const marks = item.marks.map(([at, since, before, after, count]) => ({
        ...{ at, since, before, after, count, change: relative(before, after) },
      }));
      const newest = item.values.length - 1;
      return {
        ...item,
        optimizer,
        others,
        marks,
        missing: spread(item.missing, commits.length),
        name: others ? `${item.benchmark} (${others})` : item.benchmark,
        key: [item.framework, item.benchmark, ...item.parameters.map((pair) => pair.join("="))].join(" "),
        last: marks.at(-1),
        total: marks.reduce((sum, { change }) => sum + far(change), 0),
        newest: item.values[newest],
        jump: item.jump ?? Infinity, // as from 0
        measured: item.values.some((value) => value !== null),
      };
    });
    const environments = Object.fromEntries(
      Object.entries(machine.environments).map(([name, runs]) => [name, spread(runs, commits.length)]),
    );
    return { ...machine, commits, series, environments };
  };
  const prepared = new Map();
  const current = () => {
    const names = data.machines.map(({ name }) => name);
    const index = Math.max(0, names.indexOf(state.get("machine")));
    if (!prepared.has(index)) prepared.set(index, prepare(data.machines[index]));
    return prepared.get(index);
  };

  const fill = (select, options, chosen) => {
    select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    select.value = options.some(([value]) => value === chosen) ? chosen : options[0][0];
  };
  const unique = (values) => [...new Set(values)].filter(Boolean).sort();
  const frameworksOf = (machine) => Object.entries(machine.frameworks);
  const optimizersOf = (machine) =>
    unique(machine.series.map(({ optimizer }) => optimizer)).map((name) => [name, optimizerLabel(name)]);

  // A table of cells { text, value?, missing?, node?, name? }, which scripts/3-tables.js sorts, searches and saves.
  const table = (name, caption, columns, rows) => {
    const cell = (item) => {
      if (item.missing) return make("td", { className: "missing" }, `missing: ${item.missing}`);
      if (item.value !== undefined) return make("td", {}, make("data", { value: String(item.value) }, item.text));
      return make("td", { className: "name" }, item.node ?? item.text);
    };
    const made = make(
      "table",
      {},
      make("caption", { className: "unseen" }, caption),
      make("thead", {}, make("tr", {}, ...columns.map((title) => make("th", { scope: "col", className: "name" }, title)))),
      make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map(cell)))),
    );
    made.dataset.download = name;
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, made);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    const place = make("div", {}, scroll);
    window.reportTables.enhance(made);
    return place;
  };

  const commitNode = ({ short, title, link }, className = "") => {
    const hash = link ? make("a", { href: link }, short) : short;
    return make("span", className ? { className, title } : {}, hash, title && ` ${title}`);
  };

  return {
    ...{ data, element, current, make, fill, table, commitNode },
    ...{ percent, relative, far, withUnit, optimizerLabel, frameworksOf, optimizersOf },
  };
})();
