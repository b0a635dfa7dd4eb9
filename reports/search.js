"use strict";
const form = document.querySelector("form.search");
const query = document.getElementById("query");
const found = document.getElementById("found");
const samples = Array.from(document.querySelectorAll(".sample"), (e) => [e, e.textContent.toLowerCase()]);
const components = Array.from(document.querySelectorAll(".component"));
function search() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const [element, text] of samples) {
    element.hidden = !words.every((word) => text.includes(word));
    shown += element.hidden ? 0 : 1;
  }
  for (const element of components) element.hidden = !element.querySelector(".sample:not([hidden])");
  found.textContent = words.length ? shown + " of " + samples.length + " samples" : "";
}
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
query.addEventListener("input", search);
