// What is live on a page; everything else works without it. No page has more script than this file.
"use strict";

// A text is copied: <button data-copy="ID">.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // only https and this machine have one
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent); // what is edited has a value
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

// A part of the page is fetched anew: <section id="…" data-refresh="SECONDS">. What a person has open or holds the focus stays.
for (const part of document.querySelectorAll("[data-refresh]")) {
  const again = async () => {
    const current = document.getElementById(part.id);
    if (!document.hidden && !current.contains(document.activeElement)) {
      try {
        const answer = await fetch(location.href, { headers: { "x-fragment": part.id } });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.getElementById(part.id);
          if (fresh) {
            const open = [...current.querySelectorAll("details[open][id]")].map((details) => details.id);
            current.replaceChildren(...fresh.childNodes);
            open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
          }
        }
      } catch { /* the gateway is away; the next try comes */ }
    }
    setTimeout(again, part.dataset.refresh * 1000);
  };
  setTimeout(again, part.dataset.refresh * 1000);
}

// Rows that arrive: <tbody data-live="/live?…" data-most="ROWS">. Each event `rows` has <tr data-key="…">: one that is known is
// replaced where it stands, a new one goes on top. While a person reads further down, points at the table or has the focus in it,
// new ones wait behind a button, so that nothing moves. A hidden page is not connected, since browsers have few connections for
// one address; it goes on where it was.
for (const body of document.querySelectorAll("[data-live]")) {
  const most = Number(body.dataset.most || 50);
  const table = body.closest("table");
  const waiting = new Map();
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more-new";
  more.hidden = true;
  const status = document.getElementById(body.dataset.status);
  // Beside the status, where there is room for it already.
  if (status) status.after(more);
  else table.parentElement.before(more);
  const tell = (words) => { if (status && status.textContent !== words) status.textContent = words; };

  const replace = (row) => {
    const known = body.querySelector(`[data-key="${CSS.escape(row.dataset.key)}"]`);
    if (!known) return false;
    const links = [...known.querySelectorAll("a")];
    const focused = links.indexOf(document.activeElement);
    known.replaceWith(row);
    const fresh = row.querySelectorAll("a");
    if (focused >= 0) fresh[Math.min(focused, fresh.length - 1)]?.focus({ preventScroll: true });
    return true;
  };
  const add = (row) => {
    row.classList.add("is-new");
    body.prepend(row);
    document.querySelector(".empty[data-until-rows]")?.remove();
    table.hidden = false;
    while (body.rows.length > most) body.lastElementChild.remove();
  };
  const show = () => {
    for (const row of waiting.values()) add(row);
    waiting.clear();
    more.hidden = true;
  };
  const canMove = () => table.hidden || (table.getBoundingClientRect().top > -40 && !body.contains(document.activeElement) &&
    !(matchMedia("(hover: hover)").matches && body.matches(":hover")));
  more.addEventListener("click", () => {
    show();
    if (table.getBoundingClientRect().top < 0) table.scrollIntoView({ block: "start" });
    body.querySelector("a")?.focus({ preventScroll: true });
  });

  const take = (event) => {
    const holder = document.createElement("template");
    holder.innerHTML = event.data;
    for (const row of [...holder.content.children].reverse()) {
      if (replace(row)) continue;
      if (waiting.has(row.dataset.key)) waiting.set(row.dataset.key, row);
      else if (waiting.size === 0 && canMove()) add(row);
      else {
        waiting.set(row.dataset.key, row);
        while (waiting.size > most) waiting.delete(waiting.keys().next().value);
      }
    }
    if (waiting.size > 0) {
      more.hidden = false;
      more.textContent = waiting.size >= most ? `${most} or more new calls` : `${waiting.size} new ${waiting.size === 1 ? "call" : "calls"}`;
    }
  };

  const address = new URL(body.dataset.live, location.href);
  let source = null, again = 0, missed = 0;
  const close = () => { clearTimeout(again); source?.close(); source = null; };
  const note = (event) => { if (event.lastEventId) address.searchParams.set("at", event.lastEventId); };
  const open = () => {
    close();
    if (document.hidden) return;
    const running = [...body.querySelectorAll("[data-running]"), ...waiting.values()].filter((row) => "running" in row.dataset);
    address.searchParams.set("open", running.map((row) => row.dataset.key).join(","));
    source = new EventSource(address);
    source.addEventListener("rows", (event) => { note(event); take(event); });
    source.addEventListener("missed", (event) => {
      note(event);
      missed = event.data === "some" || missed === "some" ? "some" : missed + Number(event.data);
      tell(missed === "some" ? "Live. Some calls are not shown: reload to see them" : `Live. About ${missed} calls are not shown: reload to see them`);
    });
    source.addEventListener("open", () => { if (!missed) tell("Live"); });
    source.addEventListener("error", () => {
      close();
      tell("Not connected, trying again");
      again = setTimeout(open, 3000);
    });
  };
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
}

// A work that goes on: <div data-progress="/…">. Each event `progress` has the new content; `end` has the last one.
for (const part of document.querySelectorAll("[data-progress]")) {
  const source = new EventSource(part.dataset.progress);
  const put = (event) => { part.innerHTML = event.data; };
  source.addEventListener("progress", put);
  source.addEventListener("end", (event) => { put(event); source.close(); });
  window.addEventListener("pagehide", () => source.close());
}

// A list is narrowed as one types: <input data-narrow="ID"> and elements within ID that have `data-words`.
for (const input of document.querySelectorAll("[data-narrow]")) {
  const list = document.getElementById(input.dataset.narrow);
  const narrow = () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const item of list.querySelectorAll("[data-words]")) {
      const words = item.dataset.words.toLowerCase();
      item.hidden = !wanted.every((word) => words.includes(word));
    }
  };
  input.addEventListener("input", narrow);
  if (input.value) narrow();
}
