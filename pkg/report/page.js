// Filters by tenant and by action. The page says everything without it.
(function () {
  var form = document.getElementById("filter");
  if (!form) return;
  form.hidden = false;
  var all = function (q, f) { Array.prototype.forEach.call(document.querySelectorAll(q), f); };
  var search = form.querySelector("input[type=search]");
  function apply() {
    var want = search ? search.value.trim().toLowerCase() : "";
    var off = {};
    all("#filter input[type=checkbox]", function (c) { if (!c.checked) off[c.value] = true; });
    var matches = function (e) { return !want || e.getAttribute("data-tenants").toLowerCase().indexOf(want) >= 0; };
    all("tr[data-tenants], section[data-tenants]", function (e) { e.hidden = !matches(e); });
    all("[data-action]", function (e) { e.hidden = !!off[e.getAttribute("data-action")]; });
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  form.querySelector("button").addEventListener("click", function () {
    var open = true;
    all("details.card", function (d) { open = open && d.open; });
    all("details.card", function (d) { d.open = !open; });
  });
  apply();
})();
