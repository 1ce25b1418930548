// What every page enhances. Everything works without it, only less comfortably.
import { keepDialogs } from "./dialogs.js";
import { keepLive } from "./live.js";

keepDialogs();
keepLive();
