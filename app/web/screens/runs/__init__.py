"""The pages of a run: start, preview and approval, progress and results, history, undo."""
