// Moves and zooms the picture, and shows what a resource needs and what needs it.
const svg = document.querySelector("main svg"), main = document.querySelector("main"), details = document.getElementById("details");
const nodes = [...svg.querySelectorAll(".node")].sort((a, b) => a.dataset.index - b.dataset.index);
const edges = [...svg.querySelectorAll(".edges path")];
const full = svg.viewBox.baseVal;
let view = { x: 0, y: 0, w: full.width, h: full.height };
const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
const reset = () => {
  // As wide as it takes for the text to be readable; the rest is a drag away.
  const { width, height } = main.getBoundingClientRect();
  const scale = Math.max(full.width / width, full.height / height, 1);
  const readable = Math.min(scale, 1.6);
  view = { x: 0, y: 0, w: width * readable, h: height * readable };
  show();
};
const point = (event) => {
  const box = svg.getBoundingClientRect();
  return { x: view.x + ((event.clientX - box.left) / box.width) * view.w, y: view.y + ((event.clientY - box.top) / box.height) * view.h };
};
svg.setAttribute("preserveAspectRatio", "xMinYMin slice");
main.addEventListener("wheel", (event) => {
  event.preventDefault();
  const at = point(event), factor = Math.exp(event.deltaY / 500);
  view = { x: at.x - (at.x - view.x) * factor, y: at.y - (at.y - view.y) * factor, w: view.w * factor, h: view.h * factor };
  show();
}, { passive: false });
let from = null, moved = false;
main.addEventListener("pointerdown", (event) => { from = { x: event.clientX, y: event.clientY, view: { ...view } }; moved = false; });
addEventListener("pointermove", (event) => {
  if (!from) return;
  const box = svg.getBoundingClientRect(), dx = event.clientX - from.x, dy = event.clientY - from.y;
  if (Math.abs(dx) + Math.abs(dy) < 4) return;
  moved = true;
  main.classList.add("moving");
  view = { ...view, x: from.view.x - (dx / box.width) * view.w, y: from.view.y - (dy / box.height) * view.h };
  show();
});
addEventListener("pointerup", () => { from = null; main.classList.remove("moving"); });
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
const list = (heading, found) => {
  if (!found.size) return;
  const title = document.createElement("h3"), items = document.createElement("ul");
  title.textContent = `${heading} (${found.size})`;
  for (const index of [...found].sort((a, b) => a - b)) {
    const item = document.createElement("li");
    item.textContent = lines(index)[0];
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
  details.replaceChildren();
  const title = document.createElement("h2"), text = document.createElement("p");
  title.textContent = address;
  text.textContent = `${kind}: ${status}`;
  details.append(title, text);
  list("needs", needs);
  list("needed by", needed);
};
main.addEventListener("click", (event) => {
  if (moved) return;
  const node = event.target.closest(".node");
  pick(node ? +node.dataset.index : null);
});
document.getElementById("search").addEventListener("input", (event) => {
  const text = event.target.value.trim().toLowerCase();
  const index = text ? nodes.findIndex((_, at) => lines(at)[0].toLowerCase().includes(text)) : -1;
  pick(index < 0 ? null : index);
  if (index < 0) return;
  const [x, y] = nodes[index].getAttribute("transform").match(/[\d.]+/g).map(Number);
  view = { ...view, x: x - view.w / 2, y: y - view.h / 2 };
  show();
});
addEventListener("keydown", (event) => { if (event.key === "Escape") { pick(null); reset(); } });
addEventListener("resize", reset);
reset();
