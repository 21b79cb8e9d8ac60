"""The window, in Qt. `ARCHITECTURE.md` shows its place; `gui.editor` is the state behind it."""
