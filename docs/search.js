/* What the search puts first. Sphinx scores pages that have a word alike, and sorts them by their titles. */
"use strict";

/* The page for a word, for words that many pages have or that no title has. tests/docs/test_claims.py reads this. */
const PAGE_OF = {
  "backoff": "reliability",
  "billing": "costs",
  "capacity": "costs",
  "cost": "costs",
  "costs": "costs",
  "cursor": "pagination",
  "export": "job-files",
  "exports": "job-files",
  "iam": "permissions",
  "import": "job-files",
  "lambda": "lambda",
  "migration": "changing-a-schema",
  "moto": "testing",
  "pagination": "pagination",
  "paging": "pagination",
  "pandas": "frames",
  "polars": "frames",
  "pynamodb": "from-pynamodb",
  "pytest": "testing",
  "retries": "reliability",
  "retry": "reliability",
  "testing": "testing",
  "tests": "testing",
  "throttled": "reliability",
  "throttling": "reliability",
  "ttl": "models",
};

/* Pages that have every word, and are about none. */
const LISTS = ["changelog", "contributing", "glossary", "guide", "index", "reference"];

var Scorer = {
  score: ([docname, title, anchor, descr, score, filename, kind]) => {
    const query = new URLSearchParams(window.location.search).get("q") ?? "";
    if (docname === PAGE_OF[query.trim().toLowerCase()]) return score + 100;
    return kind !== "object" && LISTS.includes(docname) ? score - 4 : score;
  },

  /* Sphinx's own numbers. */
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
