// What every page enhances. Everything works without it, only less comfortably.
import { keepDialogs } from "./dialogs.js";
import { keepLive } from "./live.js";
import { findPlace } from "./signed_out.js";
import { keepEdits } from "./unsaved.js";

keepDialogs();
keepLive();
keepEdits();
findPlace();
