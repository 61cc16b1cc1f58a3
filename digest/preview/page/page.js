// The page asks for a mail and shows it; what is chosen stands in the address, so that a reload keeps it.

const TABS = { mail: "Mail", text: "Text", source: "Source", headers: "Headers", sizes: "Size", links: "Links", checks: "Checks" };
const $ = (id) => document.getElementById(id);
const wish = $("wish");
const conditions = $("conditions");
const chosen = new URLSearchParams(location.search);
let choices = null;
let asked = 0;
let made = "";  // which mail is shown
let drawn = "";
let checked = "";

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function table(caption, headings, rows) {
  return make("table", {},
    make("caption", { textContent: caption }),
    make("thead", {}, make("tr", {}, ...headings.map((text) => make("th", { scope: "col", textContent: text })))),
    make("tbody", {}, ...rows));
}

function row(heading, ...cells) {
  return make("tr", {}, make("th", { scope: "row", textContent: heading }), ...cells);
}

const cell = (text, className = "") => make("td", { textContent: text, className });
const bytes = (number) => number.toLocaleString("en") + " bytes";
const kilobytes = (number) => (number / 1000).toFixed(1) + " kB";

// What to ask for

function offer(name, options, selected) {
  const select = wish.elements[name];
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, textContent: text })));
  if (options.some(([value]) => value === selected)) select.value = selected;
}

function subscriber() {
  return choices.subscribers.find((each) => each.id === wish.elements.subscriber.value);
}

function offerChoices() {
  const now = (name) => wish.elements[name].value || chosen.get(name) || "";
  offer("subscriber", choices.subscribers.map((each) => [each.id, each.name]), now("subscriber"));
  const own = subscriber();
  const theirs = (value) => [["", own ? `theirs (${value})` : value]];
  offer("template", [...theirs(own?.template ?? "daily"), ...choices.templates.map((each) => [each, each])], now("template"));
  offer("theme", [...theirs(own?.theme ?? "paper"), ...choices.themes.map((each) => [each, each])], now("theme"));
  offer("language", [...theirs(own?.language ?? "en"), ...choices.languages.map((each) => [each, each])], now("language"));
}

function restore() {
  for (const name of ["papers", "day"]) if (chosen.get(name)) wish.elements[name].value = chosen.get(name);
  for (const input of conditions.querySelectorAll("input")) {
    const value = chosen.get(input.name);
    if (value !== null) input.checked = input.value === value;
  }
}

function filled(...forms) {
  return new URLSearchParams(forms.flatMap((form) => [...new FormData(form)]).filter(([, value]) => value));
}

// What comes back

const PANELS = {
  text: (mail) => $("panel-text").firstChild.textContent = mail.text,
  source: (mail) => $("panel-source").firstChild.textContent = mail.source,
  headers: (mail) => $("panel-headers").replaceChildren(
    table("As they are sent, decoded", ["Header", "Value"], mail.headers.map(([name, value]) => row(name, cell(value, "code"))))),
  sizes: (mail) => $("panel-sizes").replaceChildren(...sizes(mail)),
  links: (mail) => $("panel-links").replaceChildren(
    table(`${mail.links.length} addresses, each once`, ["Called", "Address", "Times", "Odd"],
      mail.links.map((link) => row(link.texts.join(" · "), cell(link.url, "code"), cell(link.times, "number"),
        cell(link.notes.join(", "), "bad"))))),
};

function showFindings({ findings, spam }) {
  $("tab-checks").textContent = findings.length ? `Checks (${findings.length})` : TABS.checks;
  $("panel-checks").replaceChildren(
    findings.length === 0 ? make("p", { textContent: "Nothing was found." })
      : table(findings.length === 1 ? "1 finding" : `${findings.length} findings`, ["Rule", "What", "Where"],
        findings.map((each) => row(each.rule,
          make("td", {}, make("span", { className: each.severity === "error" ? "bad" : "", textContent: each.message }),
            make("p", { className: "quiet", textContent: each.hint })),
          cell(each.where, "code")))),
    make("p", { className: "quiet", textContent: "SpamAssassin is not installed, so it was not asked.", hidden: spam }));
}

function sizes(mail) {
  const used = make("meter", { max: mail.clipped_at, high: mail.html_bytes_kept, value: mail.html_bytes });
  const share = Math.round(100 * mail.html_bytes / mail.clipped_at);
  return [
    make("p", {}, `HTML: ${bytes(mail.html_bytes)}, ${share} % of what Gmail shows `, used),
    table("As they go over the wire, encoded", ["Part", "Bytes"],
      mail.sizes.map(([name, size]) => row(name, cell(size.toLocaleString("en"), "number")))),
    table("Of the HTML, by part of the template", ["Part", "Times", "Bytes"],
      mail.parts.map(([name, times, size]) => row(name, cell(times, "number"), cell(size.toLocaleString("en"), "number")))),
  ];
}

function showMail(mail) {
  $("subject").textContent = mail.subject;
  $("facts").textContent = `${mail.template} in ${mail.theme} · ${mail.papers} · ${kilobytes(mail.html_bytes)} of HTML`;
  document.title = `${mail.subject} · Paperround preview`;
  for (const fill of Object.values(PANELS)) fill(mail);
  $("problems").replaceChildren(...mail.problems.map((text) => make("li", { textContent: text })));
  $("problems").hidden = mail.problems.length === 0;
}

function showErrors(errors) {
  $("errors").replaceChildren(...errors.map((error) => make("li", {},
    make("p", { className: "where", textContent: error.where, hidden: !error.where }),
    make("p", { className: "problem", textContent: error.problem }),
    make("p", { textContent: `Hint: ${error.hint}`, hidden: !error.hint }))));
}

async function show() {
  const turn = ++asked;
  remember();
  const query = filled(wish);
  let answer;
  try {
    const response = await fetch(`/mail?${query}`);
    answer = response.ok ? await response.json() : { errors: [{ where: "", problem: await response.text(), hint: "" }] };
  } catch {
    answer = { errors: [{ where: "", problem: "the preview has ended", hint: "start digest preview --serve again" }] };
  }
  if (turn !== asked) return;
  $("error").hidden = !answer.errors;
  document.body.classList.toggle("broken", Boolean(answer.errors));
  if (answer.errors) {
    showErrors(answer.errors);
  } else {
    made = answer.made;
    showMail(answer);
    draw();
  }
  openTab();
}

function remember() {
  history.replaceState(null, "", `?${filled(wish, conditions)}${location.hash}`);
}

function draw() {
  const query = filled(wish, conditions);
  $("mail").style.width = `${query.get("width")}px`;
  query.delete("width");
  // The same mail is not drawn twice, so that a wider frame keeps its place.
  const address = `/frame?${query}`;
  if (drawn === address + made) return;
  drawn = address + made;
  // Not in the history: "back" leaves the page.
  $("mail").contentWindow.location.replace(address);
}

async function check() {
  if (!made) return;
  // SpamAssassin takes seconds of work: it is asked for who looks.
  const query = filled(wish);
  if (opened() === "checks") query.set("spam", "on");
  const [turn, mine] = [asked, `${made} ${query}`];
  if (checked === mine) return;
  checked = mine;
  const note = (text) => $("panel-checks").replaceChildren(make("p", { className: "quiet", textContent: text }));
  $("tab-checks").textContent = TABS.checks;
  note("Checking…");
  const response = await fetch(`/checks?${query}`).catch(() => null);
  const findings = response?.ok ? await response.json() : null;
  if (turn !== asked || checked !== mine) return;
  if (findings === null) note("This could not be checked; the terminal says why.");
  else if (!findings.errors) showFindings(findings);
}

// Tabs

const opened = () => (location.hash.slice(1) in TABS ? location.hash.slice(1) : "mail");

function openTab() {
  const name = opened();
  const isBroken = document.body.classList.contains("broken");
  for (const each of Object.keys(TABS)) {
    const tab = $(`tab-${each}`);
    tab.ariaSelected = String(each === name);
    tab.tabIndex = each === name ? 0 : -1;
    $(`panel-${each}`).hidden = each !== name || isBroken;
  }
}

function choose(name) {
  history.replaceState(null, "", `${location.search}#${name}`);
  openTab();
  if (name === "checks") check();
}

for (const [name, text] of Object.entries(TABS)) {
  const tab = make("button", { type: "button", id: `tab-${name}`, role: "tab", textContent: text });
  tab.setAttribute("aria-controls", `panel-${name}`);
  tab.addEventListener("click", () => choose(name));
  $("tabs").append(tab);
}

$("tabs").addEventListener("keydown", (event) => {
  const names = Object.keys(TABS);
  const at = names.indexOf(document.activeElement.id.slice(4));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const name = names[(to + names.length) % names.length];
  choose(name);
  $(`tab-${name}`).focus();
});

// Changes

async function load() {
  try {
    choices = await (await fetch("/choices")).json();
  } catch {
    return;
  }
  offerChoices();
}

wish.addEventListener("change", async (event) => {
  if (event.target.name === "subscriber") offerChoices();
  await show();
});
conditions.addEventListener("change", () => {
  remember();
  draw();
});
// What is seen comes first.
$("mail").addEventListener("load", check);
for (const form of [wish, conditions]) form.addEventListener("submit", (event) => event.preventDefault());

const changes = new EventSource("/changes");
changes.addEventListener("change", async () => {
  await show();
  const before = String(filled(wish));
  await load();
  // Whoever was chosen may be gone.
  if (String(filled(wish)) !== before) await show();
  $("status").textContent = `read again at ${new Date().toLocaleTimeString()}`;
});
let wasLost = false;
changes.addEventListener("error", () => { wasLost = true; $("status").textContent = "not connected"; });
changes.addEventListener("open", async () => {
  if (!wasLost) return;
  wasLost = false;
  $("status").textContent = "connected again";
  await load();
  await show();
});

await load();
restore();
await show();
