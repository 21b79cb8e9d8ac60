"""Rendering of an Editor, and Qt input turned into pointer events."""
