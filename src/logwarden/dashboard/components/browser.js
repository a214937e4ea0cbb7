// Draws the list of anomalies and the details of the selected one. Everything that comes from a log is put on the page
// as text, never as markup.

const instances = new WeakMap();

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// Text with words in `back quotes` as code.
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const two = (number) => String(number).padStart(2, "0");

function clockTime(millis) {
  const moment = new Date(millis);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(two).join(":");
}

function dateOf(millis) {
  const moment = new Date(millis);
  return [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join("-");
}

const fullTime = (millis) => `${dateOf(millis)} ${clockTime(millis)}`;

// The date only where it is another than today's.
const shortTime = (millis) => (dateOf(millis) === dateOf(Date.now()) ? clockTime(millis) : fullTime(millis));

const plural = (count, noun) => `${count.toLocaleString("en")} ${count === 1 ? noun : noun === "anomaly" ? "anomalies" : noun + "s"}`;
const VERDICTS = { true_anomaly: "True anomaly", false_alarm: "False alarm" };

function rowElement(row, onSelect) {
  return element(
    "button",
    { class: `row ${row.severity}`, type: "button", "data-id": row.id, onclick: () => onSelect(row.id) },
    element("span", { class: "bar" }),
    element("span", { class: "where" }, row.host, row.app ? element("span", {}, ` · ${row.app}`) : ""),
    element("time", { class: "when", datetime: new Date(row.time).toISOString(), title: fullTime(row.time) }, shortTime(row.time)),
    element("span", { class: "what" }, row.summary),
    element(
      "span",
      { class: "marks" },
      element("span", { class: `badge ${row.severity}` }, row.severity),
      element("span", { title: "Score from 0 (normal) to 1" }, row.score.toFixed(2)),
      row.feedback ? element("span", { class: `badge ${row.feedback}` }, VERDICTS[row.feedback]) : null,
    ),
  );
}

function meter(label, score, { total = false, severity = "", threshold = null } = {}) {
  const classes = total ? `meter total ${severity}` : "meter";
  const bar = element("span", { class: classes, role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": score });
  const fill = element("i");
  fill.style.width = `${100 * score}%`;
  bar.append(fill);
  if (threshold !== null) {
    const mark = element("s", { title: `Threshold ${threshold.toFixed(2)}` });
    mark.style.left = `${100 * threshold}%`;
    bar.append(mark);
  }
  const weight = total ? "total" : "";
  return [element("span", { class: weight }, label), bar, element("span", { class: `value ${weight}` }, score.toFixed(2))];
}

function section(title, ...children) {
  return element("section", { "aria-label": title }, element("h3", {}, title), ...children);
}

function scores(item) {
  return section(
    "Score",
    element(
      "div",
      { class: "meters" },
      ...meter("Combined", item.score, { total: true, severity: item.severity, threshold: item.threshold }),
      ...item.channels.flatMap((channel) => meter(channel.name, channel.score)),
    ),
    element("p", { class: "note" }, `The mark is the threshold, ${item.threshold.toFixed(2)}: from there on it is an anomaly. 0 is normal, 1 is as odd as it gets.`),
  );
}

function evidence(item) {
  const entries = item.evidence.map((one) =>
    element(
      "li",
      {},
      element("div", { class: "title" }, one.title, element("span", {}, `${one.channel} ${one.score.toFixed(2)}`)),
      element(
        "dl",
        { class: "facts" },
        ...one.facts.map(([name, value]) =>
          element("div", { class: value.length > 36 ? "long" : null }, element("dt", {}, name), element("dd", { class: value.length > 36 ? "mono" : null }, value)),
        ),
      ),
    ),
  );
  return section("Evidence", element("ul", { class: "evidence" }, ...entries));
}

function copyButton(lines) {
  const button = element("button", { class: "small", type: "button" }, "Copy lines");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(lines.map((line) => line.text).join("\n"));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy lines"), 1500);
  });
  return button;
}

function originText(origin) {
  const places = origin.first === origin.last ? `${origin.unit} ${origin.first}` : `${origin.unit}s ${origin.first} to ${origin.last}`;
  const received = origin.received === null ? "" : `, first received ${fullTime(origin.received)}`;
  return `From ${origin.stream}, ${places}${origin.listener ? `, by listener ${origin.listener}` : ""}${received}.`;
}

// Of a long unit the odd lines are shown first, each with its neighbours; which ones were opened is remembered.
const LONG = 16;
const NEIGHBOURS = 2;
const opened = new Set();

function keptLines(lines) {
  const kept = new Set();
  lines.forEach((line, index) => {
    for (let near = index - NEIGHBOURS; line.odd && near <= index + NEIGHBOURS; near++) kept.add(near);
  });
  return kept.size ? kept : new Set([...lines.keys()].slice(0, LONG));
}

function lineElement(line) {
  return element(
    "li",
    { class: line.odd ? "odd" : null, title: line.where },
    element("span", { class: "place" }, `${line.odd ? "▸" : "\u00a0"} ${line.position}`),
    element("span", { class: "time" }, line.time === null ? "" : clockTime(line.time)),
    element("span", { class: "text" }, line.text),
  );
}

function lineElements(item) {
  if (item.lines.length <= LONG || opened.has(item.id)) return item.lines.map(lineElement);
  const kept = keptLines(item.lines);
  const shown = [];
  item.lines.forEach((line, index) => {
    if (kept.has(index)) shown.push(lineElement(line));
    else if (!index || kept.has(index - 1)) shown.push(element("li", { class: "gap" }, "…"));
  });
  return shown;
}

function openButton(item, list) {
  if (item.lines.length <= LONG || opened.has(item.id)) return null;
  const button = element("button", { class: "small", type: "button" }, `Show all ${item.lines.length} lines`);
  button.addEventListener("click", () => {
    opened.add(item.id);
    list.replaceChildren(...lineElements(item));
    button.remove();
  });
  return button;
}

function rawLines(item) {
  const list = element("ol", { class: "lines" }, ...lineElements(item));
  const hidden = item.lineCount - item.lines.length;
  const copy = item.lines.length ? copyButton(item.lines) : null;
  const title = element("h3", {}, "Raw lines", element("span", { class: "grow" }), openButton(item, list), copy);
  const about = item.lines.some((line) => line.odd) ? " Lines marked ▸ raised the score." : "";
  return element(
    "section",
    { "aria-label": "Raw lines" },
    title,
    item.lines.length ? list : element("p", {}, "No lines: their absence is the anomaly."),
    element("p", { class: "note" }, originText(item.origin), about, hidden > 0 ? ` ${plural(hidden, "further line")} of this unit not kept.` : ""),
  );
}

function caseCard(item, actions) {
  const found = item.case;
  const repeats = found.suppressed ? `, and ${plural(found.suppressed, "repeat")} counted without a record` : "";
  return section(
    "Case",
    element(
      "div",
      { class: "case" },
      element(
        "div",
        { class: "about" },
        element("b", {}, found.title),
        `${plural(found.anomalies, "anomaly")}${repeats}, ${fullTime(found.start)} to ${clockTime(found.end)}. `,
        element("button", { class: "link", type: "button", onclick: () => actions.openCase(found.id) }, "Show only this case"),
      ),
      ...found.others.map((row) => rowElement(row, actions.select)),
    ),
  );
}

function answer(item, actions) {
  const buttons = Object.entries(VERDICTS).map(([verdict, label]) => {
    const pressed = item.feedback === verdict;
    return element(
      "button",
      { type: "button", "aria-pressed": String(pressed), onclick: () => actions.feedback(item.id, pressed ? null : verdict) },
      label,
    );
  });
  return section(
    "Your answer",
    element("div", { class: "answer", role: "group" }, ...buttons),
    element("p", { class: "note" }, "Answers are kept with the anomaly."),
  );
}

function detailElement(item, actions) {
  const program = [item.app, item.address].filter(Boolean).join(" · ");
  return element(
    "div",
    { class: "detail" },
    element(
      "div",
      {},
      element(
        "div",
        { class: "top" },
        element("h2", { class: "host" }, item.host),
        element("span", { class: `badge ${item.severity}` }, item.severity),
        program ? element("span", {}, program) : null,
        element("span", {}, `${fullTime(item.time)} to ${clockTime(item.end)}`),
      ),
    ),
    element(
      "section",
      { "aria-label": "Explanation" },
      element("p", { class: "finding" }, ...prose(item.finding || "The explanation is being written.")),
      item.advice ? element("div", { class: "advice" }, element("b", {}, "Check next"), ...prose(item.advice)) : null,
    ),
    scores(item),
    rawLines(item),
    item.evidence.length ? evidence(item) : null,
    item.case ? caseCard(item, actions) : null,
    answer(item, actions),
    element(
      "div",
      { class: "meta" },
      element("span", {}, `Anomaly ${item.id}`),
      element("span", {}, `Pipeline ${item.pipeline}`),
      element("span", {}, `Model ${item.revision}`),
      element("span", {}, `Explained by ${item.backend || "nobody yet"}`),
      element("span", {}, `Times in ${zone}`),
    ),
  );
}

function message(title, text) {
  return element("div", { class: "empty" }, element("h3", {}, title), element("p", {}, ...prose(text)));
}

class Browser {
  constructor(parent) {
    this.rows = new Map();
    this.fresh = 0;
    this.wanted = null;
    this.item = null;
    this.listHead = element("div", { class: "head" });
    this.list = element("ol", { "aria-label": "Anomalies, newest first" });
    this.freshBar = element("div", { class: "fresh", "aria-live": "polite" });
    this.below = element("div");
    this.listScroll = element("div", { class: "scroll" }, this.freshBar, this.list, this.below);
    this.detailHead = element("div", { class: "head" });
    this.detailScroll = element("div", { class: "scroll" });
    this.panes = element(
      "div",
      { class: "panes", "data-open": "false" },
      element("div", { class: "pane list" }, this.listHead, this.listScroll),
      element("div", { class: "pane right", role: "region", "aria-label": "Selected anomaly" }, this.detailHead, this.detailScroll),
    );
    parent.append(element("div", { class: "root" }, this.panes));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.listScroll.addEventListener("scroll", () => this.listScroll.scrollTop < 40 && this.clearFresh());
  }

  update(data, send) {
    this.send = send;
    this.data = data;
    if (this.wanted === this.addressedId) this.wanted = null;
    if (data.selected) this.item = data.selected;
    this.drawHead();
    this.drawRows();
    this.drawBelow();
    this.drawDetail();
  }

  get actions() {
    return {
      select: (id) => this.select(id),
      openCase: (id) => this.send({ kind: "case", id }),
      feedback: (id, verdict) => this.send({ kind: "feedback", id, verdict }),
    };
  }

  // What the person chose last, until the server has put it into the address. From then on the address is right, and
  // not the data: an answer to a question that was asked before may still be under way.
  get selectedId() {
    return this.wanted ?? this.addressedId;
  }

  get addressedId() {
    return new URLSearchParams(window.location.search).get("anomaly") ?? this.data.lead;
  }

  select(id) {
    if (id === this.selectedId) return;
    this.wanted = id;
    this.send({ kind: "select", id });
    this.markSelected();
    this.drawDetail();
    if (id && this.panes.getBoundingClientRect().top < 0) this.panes.scrollIntoView();
  }

  drawHead() {
    const data = this.data;
    const of = data.uncounted ? "of more than" : "of";
    const shown = data.total > data.rows.length ? `newest ${data.rows.length.toLocaleString("en")} ${of} ` : "";
    this.listHead.replaceChildren(
      element("span", {}, shown, element("b", {}, plural(data.total, "anomaly")), data.case ? ` in case “${data.case}”` : ""),
      element("span", { class: "grow" }),
      data.case
        ? element("button", { class: "link", type: "button", onclick: () => this.send({ kind: "case", id: "" }) }, "Show all")
        : element("span", { class: "live" }, "Live"),
    );
  }

  drawRows() {
    const before = this.rows;
    const known = before.size > 0 && this.view === this.data.view;
    const newest = known ? Math.max(...[...before.values()].map((entry) => entry.time)) : Infinity;
    this.rows = new Map();
    let arrived = 0;
    let previous = null;
    for (const row of this.data.rows) {
      const text = JSON.stringify(row);
      let entry = before.get(row.id);
      if (!entry || entry.text !== text) {
        const node = element("li", {}, rowElement(row, (id) => this.select(id)));
        if (!entry && row.time >= newest) {
          node.firstChild.classList.add("new");
          arrived += 1;
        }
        if (entry) entry.node.replaceWith(node);
        entry = { node, text, time: row.time };
      }
      this.rows.set(row.id, entry);
      const place = previous ? previous.nextSibling : this.list.firstChild;
      if (place !== entry.node) this.list.insertBefore(entry.node, place);
      previous = entry.node;
    }
    for (const [id, entry] of before) if (!this.rows.has(id)) entry.node.remove();
    this.view = this.data.view;
    if (arrived && this.listScroll.scrollTop >= 40) this.showFresh(arrived);
    this.markSelected();
  }

  showFresh(count) {
    this.fresh += count;
    const toTop = () => this.listScroll.scrollTo({ top: 0, behavior: "smooth" });
    this.freshBar.replaceChildren(element("button", { type: "button", onclick: toTop }, `${this.fresh} new ↑`));
  }

  clearFresh() {
    if (!this.fresh) return;
    this.fresh = 0;
    this.freshBar.replaceChildren();
  }

  markSelected() {
    for (const [id, entry] of this.rows) {
      if (id === this.selectedId) entry.node.firstChild.setAttribute("aria-current", "true");
      else entry.node.firstChild.removeAttribute("aria-current");
    }
  }

  drawBelow() {
    const { rows, more, empty } = this.data;
    if (!rows.length) this.below.replaceChildren(message(empty.title, empty.text));
    else if (more) this.below.replaceChildren(element("button", { class: "older", type: "button", onclick: () => this.send({ kind: "more" }) }, "Show older"));
    else this.below.replaceChildren();
  }

  drawDetail() {
    const id = this.selectedId;
    this.panes.dataset.open = String(Boolean(id));
    const back = element("button", { class: "back", type: "button", onclick: () => this.select("") }, this.data.case ? "← The whole case" : "← All anomalies");
    this.detailHead.replaceChildren(back, element("span", {}, id ? "Anomaly" : "Nothing selected"));
    const item = this.item?.id === id ? this.item : null;
    const state = JSON.stringify([id, item, this.data.missing]);
    if (state === this.detailState) return;
    this.detailState = state;
    this.drawDetailBody(id, item);
  }

  drawDetailBody(id, item) {
    const same = this.detailId === id;
    this.detailId = id;
    if (!id) this.detailScroll.replaceChildren(message("Select an anomaly", "Its explanation, the evidence and the raw lines appear here."));
    else if (item) this.detailScroll.replaceChildren(detailElement(item, this.actions));
    else if (this.data.missing === id) this.detailScroll.replaceChildren(message("This anomaly is not in the store", "It may have been removed by the retention time, or the link is incomplete."));
    else this.detailScroll.replaceChildren(message("Loading", "One moment."));
    if (!same) this.detailScroll.scrollTop = 0;
  }

  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...this.list.querySelectorAll("button.row")];
    const next = buttons[buttons.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    this.select(next.dataset.id);
  }
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  if (!instances.has(parentElement)) instances.set(parentElement, new Browser(parentElement));
  instances.get(parentElement).update(data, (event) => setTriggerValue("event", event));
}
