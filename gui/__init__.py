"""The window, in Qt. It is empty until the engine can carry it; `ARCHITECTURE.md` shows its place."""
