// Moves and zooms the picture, finds resources, and shows what one needs and what needs it.
const id = (name) => document.getElementById(name);
const main = document.querySelector("main"), svg = main.querySelector("svg"), details = id("details");
const nodes = [...svg.querySelectorAll(".node")].sort((a, b) => a.dataset.index - b.dataset.index);
const edges = [...svg.querySelectorAll(".edges path")], names = [...svg.querySelectorAll(".lane text")];
const full = { w: svg.viewBox.baseVal.width, h: svg.viewBox.baseVal.height };
// The upper left corner, and how many units of the picture a pixel is. Above READABLE the letters are too small.
const READABLE = 1.1, CLOSEST = 0.25;
let view = { x: 0, y: 0, scale: 1 };
const size = () => main.getBoundingClientRect();
const farthest = () => Math.max(full.w / size().width, full.h / size().height, READABLE);
const within = (value, least, most) => Math.min(Math.max(value, least), Math.max(least, most));
const show = (x, y, scale) => {
  const { width, height } = size();
  scale = within(scale, CLOSEST, farthest());
  const [w, h] = [width * scale, height * scale];
  // Nobody gets lost: some of the picture is always in sight.
  view = { x: within(x, -w / 2, full.w - w / 2), y: within(y, -h / 2, full.h - h / 2), scale };
  svg.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
  // A layer's name stays in sight, however far to the right one is.
  for (const name of names) name.setAttribute("x", within(view.x + 16, 16, full.w - 120));
};
const zoom = (factor, x, y) => {
  const scale = within(view.scale * factor, CLOSEST, farthest()), change = view.scale - scale;
  show(view.x + x * change, view.y + y * change, scale);
};
const zoomMiddle = (factor) => zoom(factor, size().width / 2, size().height / 2);
const reset = () => show(0, 0, Math.min(farthest(), READABLE));
svg.setAttribute("preserveAspectRatio", "xMinYMin slice");
main.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = size();
  zoom(Math.exp(event.deltaY / 500), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
let from = null, moved = false;
main.addEventListener("pointerdown", (event) => { from = { x: event.clientX, y: event.clientY, view }; moved = false; });
addEventListener("pointermove", (event) => {
  if (!from) return;
  const dx = event.clientX - from.x, dy = event.clientY - from.y;
  if (!moved && Math.abs(dx) + Math.abs(dy) < 4) return;
  moved = true;
  main.classList.add("moving");
  show(from.view.x - dx * view.scale, from.view.y - dy * view.scale, view.scale);
});
const drop = () => { from = null; main.classList.remove("moving"); };
addEventListener("pointerup", drop);
addEventListener("pointercancel", drop);
const reach = (start, a, b, name) => {
  const found = new Set(), queue = [start];
  while (queue.length) {
    const at = queue.pop();
    for (const edge of edges) {
      if (+edge.dataset[a] !== at) continue;
      edge.classList.add("on", name);
      const next = +edge.dataset[b];
      if (!found.has(next)) { found.add(next); queue.push(next); }
    }
  }
  return found;
};
const lines = (index) => nodes[index].querySelector("title").textContent.split("\n");
const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
const list = (heading, found, name) => {
  if (!found.size) return;
  const title = element("h3", `${heading} (${found.size})`), items = document.createElement("ul");
  title.className = name;
  for (const index of [...found].sort((a, b) => a - b)) {
    const item = document.createElement("li"), button = element("button", lines(index)[0]);
    button.addEventListener("click", () => { pick(index); center(index); });
    item.append(button);
    items.append(item);
  }
  details.append(title, items);
};
const pick = (index) => {
  for (const it of svg.querySelectorAll(".on, .chosen")) it.classList.remove("on", "chosen", "needs", "needed");
  svg.classList.toggle("picked", index !== null);
  details.hidden = index === null;
  if (index === null) return;
  const needs = reach(index, "to", "from", "needs"), needed = reach(index, "from", "to", "needed");
  for (const it of [index, ...needs, ...needed]) nodes[it].classList.add("on");
  nodes[index].classList.add("chosen");
  const [address, kind, status] = lines(index);
  details.replaceChildren(element("h2", address), element("p", `${kind}: ${status}`));
  list("needs", needs, "needs");
  list("needed by", needed, "needed");
  details.scrollTop = 0;
};
const center = (index) => {
  const [x, y] = nodes[index].getAttribute("transform").match(/[\d.]+/g).map(Number), { width, height } = size();
  const scale = Math.min(view.scale, READABLE);
  // Where the details do not cover it: above them in a narrow window, beside them in a wide one.
  const [dx, dy] = width < 1000 ? [width / 2, height / 4] : [(width - 360) / 2, height / 2];
  show(Math.max(x + 116 - dx * scale, 0), Math.max(y - dy * scale, 0), scale);
};
main.addEventListener("click", (event) => {
  if (moved) return;
  const node = event.target.closest(".node");
  pick(node ? +node.dataset.index : null);
});
let matches = [], match = 0;
const visit = () => {
  id("found").textContent = matches.length ? `${match + 1} of ${matches.length}` : "";
  pick(matches.length ? matches[match] : null);
  if (matches.length) center(matches[match]);
};
const search = id("search");
search.addEventListener("input", () => {
  const text = search.value.trim().toLowerCase();
  matches = text ? nodes.map((_, at) => at).filter((at) => lines(at)[0].toLowerCase().includes(text)) : [];
  match = 0;
  visit();
  if (text && !matches.length) id("found").textContent = "none";
});
search.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !matches.length) return;
  match = (match + (event.shiftKey ? matches.length - 1 : 1)) % matches.length;
  visit();
});
id("closer").addEventListener("click", () => zoomMiddle(0.7));
id("farther").addEventListener("click", () => zoomMiddle(1 / 0.7));
id("whole").addEventListener("click", () => show(0, 0, farthest()));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  search.value = "";
  matches = [];
  visit();
  reset();
});
addEventListener("resize", () => show(view.x, view.y, view.scale));
reset();
