// The pages work without this file. It fills the status page with live figures.
import { watch } from "./live.js";

const live = document.querySelector("[data-live]");
if (live) watch(live);
