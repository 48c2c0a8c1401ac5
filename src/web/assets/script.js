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
// replaced where it stands, a new one goes on top. While the top of the table is out of sight, new ones wait behind a button.
for (const body of document.querySelectorAll("[data-live]")) {
  const most = Number(body.dataset.most || 50);
  const table = body.closest("table");
  const waiting = new Map();
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more-new";
  more.hidden = true;
  table.parentElement.before(more);
  const status = document.getElementById(body.dataset.status);
  const tell = (words) => { if (status) status.textContent = words; };

  const put = (row, isNew) => {
    const known = body.querySelector(`[data-key="${CSS.escape(row.dataset.key)}"]`);
    if (known) {
      if (!known.contains(document.activeElement)) known.replaceWith(row);
    } else if (isNew) {
      row.classList.add("is-new");
      body.prepend(row);
      document.querySelector(".empty[data-until-rows]")?.remove();
      table.hidden = false;
      while (body.rows.length > most) body.lastElementChild.remove();
    }
    return Boolean(known);
  };
  const show = () => {
    for (const row of waiting.values()) put(row, true);
    waiting.clear();
    more.hidden = true;
  };
  more.addEventListener("click", () => { show(); table.scrollIntoView({ block: "start" }); });

  const source = new EventSource(body.dataset.live);
  source.addEventListener("rows", (event) => {
    const holder = document.createElement("template");
    holder.innerHTML = event.data;
    const top = table.getBoundingClientRect().top;
    const isInSight = top > -40 && !body.contains(document.activeElement);
    for (const row of [...holder.content.children].reverse()) {
      if (put(row, false)) continue;
      if (isInSight && waiting.size === 0) put(row, true);
      else {
        waiting.set(row.dataset.key, row);
        while (waiting.size > most) waiting.delete(waiting.keys().next().value);
      }
    }
    if (waiting.size > 0) {
      more.hidden = false;
      more.textContent = waiting.size >= most ? `${most} or more new calls` : `${waiting.size} new ${waiting.size === 1 ? "call" : "calls"}`;
    }
  });
  source.addEventListener("missed", (event) => tell(`Live, ${event.data} more are not shown: reload to see them`));
  source.addEventListener("open", () => tell("Live"));
  source.addEventListener("error", () => tell("Not connected, trying again"));
  window.addEventListener("pagehide", () => source.close());
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
