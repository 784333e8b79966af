// Every series across commits: the list, its filters, and the trend of the one that is chosen, which commits-2-trend.js
// makes and which is drawn when the reader sees it.
window.reportCommits.then((shared) => {
  if (!shared) return;
  const { data, element, current, make, fill, table, commitNode } = shared;
  const { percent, far, withUnit, optimizerLabel, frameworksOf, optimizersOf } = shared;
  const { specification, trendWords } = window.reportTrend(shared);
  const state = window.reportState;

  const SHOWN = {
    regressed: ({ last }) => last?.change > 0,
    improved: ({ last }) => last?.change < 0,
    unchanged: ({ measured, marks }) => measured && !marks.length,
    missing: ({ newest }) => newest === null,
  };
  const ORDERS = {
    "": (a, b) => (b.last?.at ?? -1) - (a.last?.at ?? -1) || far(b.last?.change ?? 0) - far(a.last?.change ?? 0),
    most: (a, b) => b.total - a.total || 0,
    name: (a, b) => a.name.localeCompare(b.name, "en"),
  };

  const listed = (machine) => {
    const [shown, framework, optimizer, order] = ["show", "framework", "optimizer", "order"].map((key) => element(key).value);
    return machine.series
      .filter((item) => !shown || SHOWN[shown](item))
      .filter((item) => [item.framework, ""].includes(framework) && [item.optimizer, ""].includes(optimizer))
      .sort((a, b) => ORDERS[order](a, b) || b.measured - a.measured);
  };

  const listSeries = () => {
    const machine = current();
    const found = listed(machine);
    const newest = machine.commits.at(-1);
    const rows = found.map((item) => {
      const button = make("button", { type: "button", className: "choice" }, item.name);
      button.dataset.series = item.key;
      button.addEventListener("click", () => {
        state.set("series", item.key, element("trend"));
        drawTrend();
        // It lies below the list.
        element("trend").scrollIntoView();
        element("trend").focus({ preventScroll: true });
      });
      const at = item.last && machine.commits[item.last.at];
      return [
        { node: button },
        { text: machine.frameworks[item.framework] },
        { text: optimizerLabel(item.optimizer) },
        item.newest === null
          ? { missing: item.missing[newest.place] }
          : { value: item.newest, text: withUnit(item.newest, item.unit) },
        item.last
          ? Number.isFinite(item.last.change)
            ? { value: item.last.change, text: `${item.last.change > 0 ? "▲" : "▼"} ${percent(item.last.change)}` }
            : { text: "▲ from 0" }
          : { text: item.measured ? "none" : "" },
        { node: at ? commitNode(at, "brief") : "" },
        { value: item.marks.length, text: String(item.marks.length) },
        { text: item.unit },
      ];
    });
    const columns = ["benchmark", "framework", "optimizer", "newest", "last change", "at commit", "changes", "unit"];
    const words = { regressed: "regressed", improved: "improved", unchanged: "without a mark", missing: "missing now" };
    element("count").textContent = [
      `${found.length} of ${machine.series.length} series`,
      ...Object.entries(words).map(([kind, text]) => `${found.filter(SHOWN[kind]).length} ${text}`),
    ].join(", ");
    element("list").replaceChildren(
      found.length
        ? table("commits-list", `Series on ${machine.name}`, columns, rows)
        : make("p", { className: "missing" }, "No series is like that."),
    );
    showChoice();
  };

  const chosen = () => {
    const machine = current();
    return machine.series.find(({ key }) => key === state.get("series")) ?? [...machine.series].sort(ORDERS[""])[0];
  };

  const showChoice = () => {
    const key = chosen()?.key;
    for (const button of element("list").querySelectorAll("button.choice")) {
      button.setAttribute("aria-pressed", String(button.dataset.series === key));
    }
  };

  const fillValues = () => {
    const [machine, item, details] = [current(), chosen(), element("trend-values")];
    const marked = new Map(item.marks.map((mark) => [mark.at, mark.change > 0 ? "worse" : "better"]));
    const rows = machine.commits.map((commit) => [
      { node: commit.link ? make("a", { href: commit.link }, commit.name) : commit.name },
      { text: commit.date },
      { text: commit.title },
      item.values[commit.place] === null
        ? { missing: item.missing[commit.place] }
        : { value: item.values[commit.place], text: withUnit(item.values[commit.place], item.unit) },
      { text: marked.get(commit.place) ?? "" },
    ]);
    const caption = `${item.name}, ${optimizerLabel(item.optimizer)} in ${machine.frameworks[item.framework]}`;
    details.replaceChildren(
      details.firstElementChild,
      table("commits-values", caption, ["commit", "date", "subject", item.unit || "value", "marked"], rows.reverse()),
    );
  };

  let drawn = 0;
  const drawTrend = async () => {
    const [machine, item] = [current(), chosen()];
    if (!item) return;
    drawn += 1;
    const turn = drawn;
    showChoice();
    element("trend-title").textContent = [
      item.name,
      ...(item.optimizer ? [optimizerLabel(item.optimizer)] : []),
      machine.frameworks[item.framework],
    ].join(" · ");
    element("trend-words").replaceChildren(...trendWords(machine, item));
    const details = element("trend-values");
    details.replaceChildren(details.firstElementChild);
    if (details.open) fillValues();
    const chart = element("trend-chart");
    if (!item.measured) {
      chart.replaceChildren();
      return;
    }
    const own = make("div", { className: "chart" });
    chart.style.minHeight = `${Math.max(280, chart.offsetHeight)}px`;
    chart.replaceChildren(own);
    try {
      await reportChart(own, specification(machine, item));
    } catch (error) {
      own.textContent = `This chart could not be drawn (${error.message}). The table below has its numbers.`;
      console.error(error);
    }
    if (turn === drawn) chart.dataset.series = item.key;
  };

  // What the controls show, and what the address says of them.
  const FILTERS = ["machine", "show", "framework", "optimizer", "order"];

  const recallList = () => {
    const machine = current();
    fill(element("machine"), data.machines.map(({ name }) => [name, name]), state.get("machine"));
    element("machines").hidden = data.machines.length < 2;
    fill(element("framework"), [["", "all"], ...frameworksOf(machine)], state.get("framework"));
    fill(element("optimizer"), [["", "all"], ...optimizersOf(machine)], state.get("optimizer"));
    element("show").value = state.get("show") in SHOWN ? state.get("show") : "";
    element("order").value = state.get("order") in ORDERS ? state.get("order") : "";
    const all = () => ({
      caption: `All values on ${machine.name}`,
      columns: [
        ...["commit", "date", "subject"].map((name) => ({ name, title: name, unit: "" })),
        ...machine.series.map(({ key, unit }) => ({ name: unit ? `${key} [${unit}]` : key, title: key, unit })),
      ],
      rows: machine.commits.map((commit) => [
        ...[commit.name, commit.date, commit.subject].map((value) => ({ value, reason: "" })),
        ...machine.series.map((item) => ({ value: item.values[commit.place], reason: item.missing[commit.place] })),
      ]),
    });
    const place = element("series").querySelector(".all-values");
    place.replaceChildren("All values: ", ...window.reportDownloads("commits-all-values", "every value of every series", all));
    listSeries();
  };

  for (const key of FILTERS) {
    element(key).addEventListener("change", (event) => {
      state.set(key, key === "machine" && event.target.selectedIndex === 0 ? "" : event.target.value);
      if (key === "machine") window.dispatchEvent(new Event("hashchange")); // the two commits are of the same machine
      else listSeries();
    });
  }
  element("trend-values").addEventListener("toggle", (event) => {
    if (event.target.open) fillValues();
  });

  const recall = () => {
    recallList();
    if (inSight) drawTrend();
  };

  let inSight = false;
  new IntersectionObserver(
    (entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      inSight = true;
      drawTrend();
    },
    { rootMargin: "50% 0%" },
  ).observe(element("trend"));
  recall();
  window.addEventListener("hashchange", recall);
});
