// Any two commits side by side; or two frameworks, or an optimizer and its baseline.
window.reportCommits.then((shared) => {
  if (!shared) return;
  const { data, element, current, make, fill, table, commitNode } = shared;
  const { percent, relative, far, withUnit, optimizerLabel, frameworksOf, optimizersOf } = shared;
  const state = window.reportState;

  const SIDES = ["a", "b"];

  const resolve = (machine, text) => {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return { problem: "no commit" };
    const named = machine.commits.filter(({ name }) => name.startsWith(wanted));
    const found = named.length ? named : machine.commits.filter(({ subject }) => subject.toLowerCase().includes(wanted));
    if (found.length === 1) return { commit: found[0] };
    return { problem: found.length ? `${found.length} commits are called that` : "no measured commit is called that" };
  };

  // As comparison.py: what a change is. Larger is worse; where the scatter is not known, the size alone decides.
  const verdict = (change, limit, least) => {
    if (change === 0) return "equal";
    if (limit !== null && Math.abs(change) <= limit) return "scatter";
    if (Math.abs(change) < least) return "small";
    return change > 0 ? "worse" : "better";
  };

  // What two values differ by without a reason, in the operations of comparison.py.
  const within = ({ scatter: one, jump }, { scatter: other, jump: otherJump }) =>
    one === null || other === null
      ? null
      : Math.max(data.deviations * Math.sqrt(one * one + other * other), jump, otherJump);

  const compareSides = (machine, [a, b], least) => {
    const identity = (item, framework, optimizer) =>
      JSON.stringify([
        framework || item.framework,
        item.benchmark,
        item.parameters.map(([name, value]) => [name, name === "optimizer" && optimizer ? optimizer : value]),
      ]);
    const fits = (item, side) =>
      (!side.framework || item.framework === side.framework) && (!side.optimizer || item.optimizer === side.optimizer);
    const partners = new Map(machine.series.filter((item) => fits(item, b)).map((item) => [identity(item), item]));
    const used = new Set();
    const rows = [];
    const add = (left, right) => {
      const before = left?.values[a.commit.place] ?? null;
      const after = right?.values[b.commit.place] ?? null;
      if (before === null && after === null) return;
      const { judged } = left ?? right;
      if (before === null || after === null) {
        const [item, side] = before === null ? [left, a] : [right, b];
        const missing = item ? item.missing[side.commit.place] : "no such series";
        const lost = missing === "failed" && judged ? "failed" : "only-a";
        rows.push({ left, right, before, after, verdict: before === null ? "only-b" : lost, missing });
        return;
      }
      const limit = within(left, right);
      const change = relative(before, after);
      rows.push({ left, right, before, after, change, limit, verdict: judged ? verdict(change, limit, least) : "unjudged" });
    };
    for (const left of machine.series.filter((item) => fits(item, a))) {
      const right = partners.get(identity(left, b.framework, b.optimizer));
      if (right) used.add(right);
      add(left, right);
    }
    for (const right of partners.values()) if (!used.has(right)) add(undefined, right);
    const group = ({ verdict, change }) =>
      data.first.includes(verdict) ? data.first.indexOf(verdict) : data.first.length + (change === undefined);
    return rows.sort((x, y) => group(x) - group(y) || far(y.change ?? 0) - far(x.change ?? 0) || 0);
  };

  const SIGNS = { worse: "▲ ", failed: "✗ ", better: "▼ " };

  const showComparison = () => {
    const machine = current();
    const sides = SIDES.map((side) => {
      const input = element(side);
      const { commit, problem } = resolve(machine, input.value);
      input.setAttribute("aria-invalid", String(Boolean(problem)));
      element(`${side}-subject`).replaceChildren(commit ? commitNode(commit) : problem, commit ? ` (${commit.date})` : "");
      return { commit, framework: element(`${side}-framework`).value, optimizer: element(`${side}-optimizer`).value };
    });
    if (sides.some(({ commit }) => !commit)) {
      element("moved").textContent = "Name two commits that were measured.";
      element("compared").replaceChildren();
      return;
    }
    const asked = element("least");
    asked.setAttribute("aria-invalid", String(!asked.validity.valid));
    if (!asked.validity.valid) {
      element("moved").textContent = `"at least" takes a number from ${asked.min} to ${asked.max}.`;
      element("compared").replaceChildren();
      return;
    }
    const least = asked.value ? Number(asked.value) / 100 : data.threshold;
    const found = compareSides(machine, sides, least);
    const either = (row, of) => [...new Set([row.left, row.right].filter(Boolean).map(of))].join(" → ");
    const value = (given, item, row) =>
      given === null ? { missing: row.missing } : { value: given, text: withUnit(given, item.unit) };
    const rows = found.map((row) => [
      { text: `${SIGNS[row.verdict] ?? ""}${data.verdicts[row.verdict]}` },
      row.change === undefined
        ? { missing: row.missing }
        : Number.isFinite(row.change)
          ? { value: row.change, text: percent(row.change) }
          : { text: "from 0" },
      value(row.before, row.left, row),
      value(row.after, row.right, row),
      { text: (row.left ?? row.right).name },
      { text: either(row, ({ framework }) => machine.frameworks[framework]) },
      { text: either(row, ({ optimizer }) => optimizerLabel(optimizer)) },
      row.limit === null || row.limit === undefined
        ? { missing: "scatter not known" }
        : Number.isFinite(row.limit)
          ? { value: row.limit, text: `± ${percent(row.limit).replace("+", "")}` }
          : { text: "any" },
      { text: either(row, ({ unit }) => unit) },
    ]);
    const columns = ["verdict", "change", ...sides.map(({ commit }, index) => `${"AB"[index]} ${commit.short}`)];
    columns.push("benchmark", "framework", "optimizer", "within scatter", "unit");
    const counts = Object.entries(data.verdicts)
      .map(([kind, words]) => [found.filter((row) => row.verdict === kind).length, words])
      .filter(([count]) => count);
    element("moved").textContent = counts.map(([count, words]) => `${count} ${words}`).join(", ");
    element("compared").replaceChildren(
      found.length
        ? table("commits-compared", `${sides[0].commit.short} beside ${sides[1].commit.short}`, columns, rows)
        : make("p", { className: "missing" }, "Neither commit has a value of such a series."),
    );
  };

  const recallForm = () => {
    const machine = current();
    const names = machine.commits.map(({ short, date, subject }) =>
      make("option", { value: short, label: `${date} ${subject}`.trim() }),
    );
    element("names").replaceChildren(...names.reverse());
    const measured = machine.commits.filter(({ place }) => machine.series.some(({ values }) => values[place] !== null));
    const otherwise = { a: (measured.at(-2) ?? measured.at(-1))?.short ?? "", b: measured.at(-1)?.short ?? "" };
    for (const side of SIDES) {
      const [any, same] = [["", "each"], ["", "the same as A"]];
      const first = side === "a" ? any : same;
      element(side).value = state.get(side) || otherwise[side];
      fill(element(`${side}-framework`), [first, ...frameworksOf(machine)], state.get(`${side}-framework`));
      fill(element(`${side}-optimizer`), [first, ...optimizersOf(machine)], state.get(`${side}-optimizer`));
    }
    element("least").value = Number.isFinite(Number(state.get("least"))) ? state.get("least") : "";
    showComparison();
  };

  for (const key of [...SIDES.flatMap((side) => [side, `${side}-framework`, `${side}-optimizer`]), "least"]) {
    element(key).addEventListener("change", (event) => {
      state.set(key, event.target.value.trim());
      showComparison();
    });
  }
  element("form").addEventListener("submit", (event) => event.preventDefault());
  element("swap").addEventListener("click", () => {
    for (const what of ["", "-framework", "-optimizer"]) {
      const [a, b] = SIDES.map((side) => element(`${side}${what}`));
      [a.value, b.value] = [b.value, a.value];
      state.set(`a${what}`, a.value);
      state.set(`b${what}`, b.value);
    }
    showComparison();
  });
  recallForm();
  window.addEventListener("hashchange", recallForm);
  window.addEventListener("reportcompare", recallForm);

  // The chapter is complete; a link into it led to where its target stood before.
  const target = document.getElementById(location.hash.slice(1).split("&")[0]);
  const fresh = performance.getEntriesByType("navigation")[0]?.type === "navigate";
  if (fresh && target && element("view").contains(target)) target.scrollIntoView();
  document.documentElement.dataset.commits = "ready";
});
